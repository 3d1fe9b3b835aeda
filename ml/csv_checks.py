"""Check one CSV: its bytes, its rows, its lines; write its rows as Parquet meanwhile.

One sentence says what is wrong with a file; a row with too few or too many fields is
set aside with its line.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from ml import machine, settings

#: Rows with a wrong number of fields that are set aside; a file with more is refused.
MAX_MALFORMED = 1000
#: Encodings that are named when a file is not UTF-8, in the order of the attempts.
OTHER_ENCODINGS = {"cp932": "Shift_JIS (CP932)", "euc_jp": "EUC-JP"}
#: Half of a surrogate pair, written as if it were a character of its own.
_HALF_OF_A_PAIR = re.compile(b"\xed[\xa0-\xbf][\x80-\xbf]")
#: What Python's decoder makes of bytes to which CP932 gives no character.
_NO_CHARACTER = re.compile("[\x80\xa0\uf8f0-\uf8f3]")
CHUNK_BYTES = 1 << 22
#: Bytes of a row: what DuckDB reads by default, with buffers of 16 times as much. The
#: csv module stops at fewer unless it is told.
LONGEST_ROW = 2_000_000
csv.field_size_limit(LONGEST_ROW)
#: Characters of the competition's ids; files of rows with an id end each row with one.
ID_LENGTH = 32


class RawFileError(Exception):
    """A raw file that cannot be used; the message says which and what to do."""


@dataclass(frozen=True)
class MalformedRow:
    """A row that has not as many fields as the header."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True)
class Facts:
    """What reading a whole file once told, remembered while the file stays the same.

    Attributes
    ----------
    fingerprint
        SHA-256 of the CSV's bytes.
    n_rows
        Rows below the header, those with a wrong number of fields included; blank lines
        are none.
    malformed
        Rows with a wrong number of fields, in the order of their lines.
    line_shifts
        Pairs of a row's number (of those that can be read, from 1) and how far its line
        lies below that number, one for each place where the distance changes. A file
        with one row per line has the single pair (1, 1), because of the header.
    n_lines
        Lines, those of the header included.
    ends_with_line
        Whether the last line has its end.
    """

    fingerprint: str
    n_rows: int
    malformed: tuple[MalformedRow, ...] = ()
    line_shifts: tuple[tuple[int, int], ...] = ((1, 1),)
    n_lines: int = 1
    ends_with_line: bool = True

    @property
    def n_read(self) -> int:
        """Rows that can be read."""
        return self.n_rows - len(self.malformed)

    @property
    def has_a_row_in_each_line(self) -> bool:
        """Whether nothing but the header, in one line, and rows of one line is there.

        The lines of such a file were not looked for: they follow from the rows.
        """
        return self.n_lines == self.n_read + 1

    @property
    def last_line(self) -> int:
        """Line below which no row stands, as lines of rows are numbered.

        With line ends other than one kind that is not the number of lines.
        """
        of_rows = self.n_read + self.line_shifts[-1][1]
        return max(self.n_lines, of_rows, *(row.line for row in self.malformed))

    def followed_by(self, tail: Facts, fingerprint: str) -> Facts | None:
        """Return the facts of a file that has grown.

        Parameters
        ----------
        tail
            Facts of the new lines, read as a file of their own below a line of header.
        fingerprint
            Of the whole file.

        Returns
        -------
        Facts, equal to those of the whole file read anew; None where that is not sure.
        """
        if not self.ends_with_line or not tail.ends_with_line:
            return None
        # lines of a whole file are looked for in all of it, and may be found amiss
        if self.has_a_row_in_each_line and not tail.has_a_row_in_each_line:
            return None
        more_lines = self.n_lines - 1
        malformed = self.malformed + tuple(
            replace(row, line=row.line + more_lines) for row in tail.malformed
        )
        if len(malformed) > MAX_MALFORMED:
            return None
        shifts = list(self.line_shifts) if self.n_read else []
        for row, shift in tail.line_shifts if tail.n_read else ():
            shift_here = shift + more_lines - self.n_read
            if not shifts or shifts[-1][1] != shift_here:
                shifts.append((row + self.n_read, shift_here))
        return Facts(
            fingerprint,
            self.n_rows + tail.n_rows,
            malformed,
            tuple(shifts) or ((1, 1),),
            more_lines + tail.n_lines,
        )


def read_file(
    path: Path,
    shown_as: Path,
    header: tuple[str, ...],
    columns: Sequence[str],
    target: Path,
) -> Facts:
    """Read a whole file, its bytes and then its rows, and write the rows as Parquet.

    Parameters
    ----------
    shown_as
        What messages call the file.
    header
        Column names in the file's own order.
    columns
        Those to be written, as text, `NA` as null; the rows keep their order.
    target
        Parquet file to write.

    Raises
    ------
    RawFileError
        The file is no CSV in UTF-8, has too many rows with a wrong number of fields, or
        ends in the middle of a row; or the disk is full.
    """
    text = _check_bytes(path, shown_as)
    n_read, malformed = _copy_rows(path, shown_as, header, columns, target, text)
    if not text.ends_with_line and _breaks_off_in_an_id(path):
        raise RawFileError(
            f"{shown_as}, line {text.n_lines}, column {header[-1]}: the file breaks "
            "off within the last id, so rows after it may be lost: copy or download it "
            "again."
        )
    shifts: tuple[tuple[int, int], ...] = ((1, 1),)
    if text.n_lines != n_read + 1:
        n_counted, shifts, lines = _find_lines(path, len(header))
        if (n_counted, len(lines)) != (n_read, len(malformed)):
            raise RawFileError(
                f"{shown_as} has {n_read} rows by one way of reading quotation marks "
                f"and {n_counted} by another: put them around whole fields only."
            )
        malformed = tuple(
            replace(row, line=line) for row, line in zip(malformed, lines, strict=True)
        )
    return Facts(
        text.fingerprint,
        n_read + len(malformed),
        malformed,
        shifts,
        text.n_lines,
        text.ends_with_line,
    )


@dataclass(frozen=True)
class _Text:
    """What the bytes of a file say."""

    fingerprint: str
    n_lines: int
    ends_with_line: bool


def _check_bytes(path: Path, shown_as: Path) -> _Text:
    """Go through the bytes once; all of them must be UTF-8 text."""
    digest = hashlib.sha256()
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    n_ends, last = 0, b""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                raise wrong_encoding(path, shown_as) from error
            if b"\0" in chunk:
                line = n_ends + chunk[: chunk.index(b"\0")].count(b"\n") + 1
                raise RawFileError(
                    f"{shown_as}, line {line}: a byte is zero, so the file is damaged "
                    "or no text: copy or download it again."
                )
            n_ends += chunk.count(b"\n")
            last = chunk[-1:]
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise RawFileError(
            f"{shown_as}, line {n_ends + 1}: the file breaks off in the middle of a "
            "character: copy or download it again."
        ) from error
    ends_with_line = last == b"\n"
    return _Text(digest.hexdigest(), n_ends + (not ends_with_line), ends_with_line)


def _breaks_off_in_an_id(path: Path) -> bool:
    """Whether the last field of a file is the beginning of an id.

    It is if the row before ends with an id or NA, and the last one with less than that.
    """
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - CHUNK_BYTES))
        lines = file.read().splitlines()[-2:]
    ends = [line.rsplit(b",", 1)[-1].strip(b'" ') for line in lines]
    if len(ends) < 2:
        return False
    before, last = ends
    return (before == b"NA" or len(before) == ID_LENGTH) and (
        last != b"NA" and len(last) < ID_LENGTH
    )


def wrong_encoding(path: Path, shown_as: Path) -> RawFileError:
    """Return the error for a file that is not UTF-8: where, and what it looks like."""
    content = path.read_bytes()
    plain_name = shown_as.name.removesuffix(".zip")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return RawFileError(
            f"{shown_as} is UTF-16, not UTF-8: convert it "
            f"(`iconv -f UTF-16 -t UTF-8 {plain_name}`)."
        )
    try:
        content.decode("utf-8")
        start = 0
    except UnicodeDecodeError as error:
        start = error.start
    line = content.count(b"\n", 0, start) + 1
    field = content.count(b",", content.rfind(b"\n", 0, start) + 1, start)
    columns = content.split(b"\n", 1)[0].decode("ascii", "replace").split(",")
    where = f"{shown_as}, line {line}"
    if line > 1 and field < len(columns):
        where += f", column {columns[field].strip()}"
    if _HALF_OF_A_PAIR.match(content, start) and _is_text_but_for_halves(content):
        half = content[start : start + 3].decode("utf-8", "surrogatepass")
        return RawFileError(
            f"{where}: half of a surrogate pair (U+{ord(half):04X}), which is no "
            "character and not UTF-8: write the file again with a program that writes "
            "UTF-8, not CESU-8 or Java's modified UTF-8."
        )
    for codec, name in OTHER_ENCODINGS.items():
        try:
            text = content.decode(codec)
        except UnicodeDecodeError:
            continue
        if _NO_CHARACTER.search(text):
            continue
        return RawFileError(
            f"{where}: not UTF-8 but, it seems, {name}: convert the file "
            f"(`iconv -f {codec.upper().replace('_', '-')} -t UTF-8 {plain_name}`)."
        )
    return RawFileError(
        f"{where}: not UTF-8, nor any other encoding that is known here: save the file "
        "as UTF-8, or copy it again if it was UTF-8."
    )


def _is_text_but_for_halves(content: bytes) -> bool:
    """Whether bytes are UTF-8 if halves of surrogate pairs are let pass."""
    try:
        content.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def _read_csv_sql(path: Path, header: tuple[str, ...]) -> str:
    """Return DuckDB's table function over a CSV: every column text, `NA` null."""
    types = ", ".join(f"{quoted(column)}: 'VARCHAR'" for column in header)
    return (
        f"read_csv({quoted(str(path.resolve()))}, header = true, auto_detect = false, "
        "delim = ',', quote = '\"', escape = '\"', nullstr = 'NA', "
        f"max_line_size = {LONGEST_ROW}, "
        f"columns = {{{types}}}, store_rejects = true)"
    )


def quoted(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _copy_rows(
    path: Path,
    shown_as: Path,
    header: tuple[str, ...],
    columns: Sequence[str],
    target: Path,
    text: _Text,
) -> tuple[int, tuple[MalformedRow, ...]]:
    """Return how many rows can be read, and those with a wrong number of fields."""
    # whatever letters the header has, the columns are called as they are declared
    selected = ", ".join(f'"{column}" as "{column}"' for column in columns)
    rows = f"select {selected} from {_read_csv_sql(path, header)}"
    try:
        limits = {
            "threads": 2,
            "memory_limit": settings.memory_limit(),
            "temp_directory": str(target.parent),
        }
        with duckdb.connect(config=limits) as connection:
            connection.execute("set enable_progress_bar = false")
            ((n_read,),) = connection.execute(
                f"copy ({rows}) to {quoted(str(target))} (format parquet)"
            ).fetchall()
            faults = connection.execute(
                "select line, max(csv_line), min(column_idx), max(column_idx), "
                "max(error_type) from reject_errors group by line order by line"
            ).fetchall()
    except duckdb.Error as error:
        if refused := machine.refusal(error):
            raise RawFileError(refused) from error
        reason = str(error).splitlines()[0]
        raise RawFileError(
            f"{shown_as} cannot be read as CSV ({reason}) Use the file as the "
            "competition gives it, with one kind of line end."
        ) from error
    malformed = []
    for line, row, least, most, kind in faults:
        where = f"{shown_as}, line {line}"
        if kind == "TOO MANY COLUMNS":
            found, column = most, ""
        elif kind == "MISSING COLUMNS":
            found, column = least, f", {header[least]} is missing"
        elif kind == "LINE SIZE OVER MAXIMUM":
            raise RawFileError(
                f"{where}: the row is longer than {LONGEST_ROW:,} bytes: mend the "
                "line, or copy the file again."
            )
        else:
            raise RawFileError(
                f"{where}, column {header[least - 1]}: a quotation mark is opened and "
                "not closed as it should be, so nobody knows where the row ends: mend "
                "the line, or copy the file again."
            )
        is_last = line == text.n_lines and not text.ends_with_line
        if is_last and kind == "MISSING COLUMNS":
            raise RawFileError(
                f"{where}{column}: the file breaks off after {found} of {len(header)} "
                "fields, so rows after it may be lost: copy or download it again."
            )
        reason = f"{len(header)} fields expected, {found} found{column}"
        malformed.append(MalformedRow(line, row.strip("\r\n"), reason))
    if len(malformed) > MAX_MALFORMED:
        raise RawFileError(
            f"{shown_as}, line {malformed[0].line}: {malformed[0].reason}; so it is in "
            f"{len(malformed)} of {n_read + len(malformed)} rows. Use the file as the "
            "competition gives it."
        )
    return n_read, tuple(malformed)


def _find_lines(
    path: Path, n_fields: int
) -> tuple[int, tuple[tuple[int, int], ...], list[int]]:
    """Return how many rows there are, their line shifts, and the malformed rows' lines.

    Only for a file that has not one row per line: DuckDB is silent on blank lines, and
    counts those in fields that end as on Windows once too few.
    """
    shifts: list[tuple[int, int]] = []
    malformed: list[int] = []
    number, line_before = -1, 0
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        for fields in reader:
            line, line_before = line_before + 1, reader.line_num
            if len(fields) == n_fields:
                number += 1
                if number and (not shifts or shifts[-1][1] != line - number):
                    shifts.append((number, line - number))
            elif fields:
                malformed.append(line)
    return number, tuple(shifts) or ((1, 1),), malformed
