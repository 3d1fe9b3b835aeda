"""Find, unpack and check the competition's files before dbt reads them.

Files are read in place, as Kaggle gives them: CSV, or CSV in a zip of its own, which
is unpacked once into a cache outside the data directory. Which files and columns
there are is written in ``models/staging/sources.yml`` and nowhere else.

What a file as a whole must be is checked here, and one sentence says what is wrong;
a row with too few or too many fields is set aside with its line. What a row must hold
is checked by SQL, in the models ``checked_*``.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import json
import os
import re
import shutil
import tempfile
import zipfile
import zlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import duckdb
import yaml

from ml import settings
from ml.files import write_whole

SOURCES_YAML = settings.PROJECT_DIR / "models" / "staging" / "sources.yml"

#: Rows with a wrong number of fields that are set aside; a file with more is refused.
MAX_MALFORMED = 1000
#: Encodings that are named when a file is not UTF-8, in the order of the attempts.
OTHER_ENCODINGS = {"cp932": "Shift_JIS (CP932)", "euc_jp": "EUC-JP"}
#: Half of a surrogate pair, written as if it were a character of its own.
_HALF_OF_A_PAIR = re.compile(b"\xed[\xa0-\xbf][\x80-\xbf]")
#: What Python's decoder makes of bytes to which CP932 gives no character.
_NO_CHARACTER = re.compile("[\x80\xa0\uf8f0-\uf8f3]")
_CHUNK_BYTES = 1 << 22
#: Bytes of a row: what DuckDB reads by default, with buffers of 16 times as much. The
#: csv module stops at fewer unless it is told.
LONGEST_ROW = 2_000_000
csv.field_size_limit(LONGEST_ROW)
#: Characters of the competition's ids; files of rows with an id end each row with one.
ID_LENGTH = 32


class RawFileError(Exception):
    """A raw file that cannot be used; the message says which and what to do."""


@dataclass(frozen=True)
class SourceFile:
    """One file that the warehouse reads, as declared in the sources' YAML."""

    name: str
    columns: tuple[str, ...]
    is_required: bool


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
    """

    fingerprint: str
    n_rows: int
    malformed: tuple[MalformedRow, ...] = ()
    line_shifts: tuple[tuple[int, int], ...] = ((1, 1),)


@dataclass(frozen=True)
class RawFile:
    """A source file as found on disk.

    Attributes
    ----------
    path
        CSV to read: the file itself or its unpacked copy; None if it is absent.
    header
        Column names in the file's own order.
    """

    source: SourceFile
    path: Path | None
    header: tuple[str, ...] = ()
    n_bytes: int = 0
    facts: Facts = Facts("", 0)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the CSV's bytes, empty for an absent file."""
        return self.facts.fingerprint


def declared_sources(sources_yaml: Path = SOURCES_YAML) -> list[SourceFile]:
    """Return the files that the sources' YAML declares."""
    document = yaml.safe_load(sources_yaml.read_text(encoding="utf-8"))
    (source,) = (s for s in document["sources"] if s["name"] == "ponpare")
    return [
        SourceFile(
            name=table["name"],
            columns=tuple(
                column["name"]
                for column in table["columns"]
                if not column.get("config", {}).get("meta", {}).get("loader")
            ),
            is_required=table["config"]["meta"]["required"],
        )
        for table in source["tables"]
        if "required" in table["config"]["meta"]
    ]


def find_raw_files(data_dir: Path, cache_dir: Path) -> list[RawFile]:
    """Locate, unpack, check and fingerprint every declared file.

    Raises
    ------
    RawFileError
        The directory or a required file is missing or must not be read, a file is no
        CSV in UTF-8, ends in the middle of a row, or its header lacks a column.
    """
    if not data_dir.is_dir():
        raise RawFileError(
            f"{data_dir} is not a directory: set PONPARE_DATA_DIR to the directory "
            "with the competition's files, or run `make demo` to write sample data."
        )
    if not os.access(data_dir, os.R_OK | os.X_OK):
        raise RawFileError(
            f"{data_dir} must not be read by this user: give yourself the right to "
            f"(`chmod u+rx {data_dir}`)."
        )
    own_cache = _own_cache(data_dir, cache_dir)
    sources = declared_sources()
    missing = [
        source.name
        for source in sources
        if source.is_required and _candidate(data_dir, source.name) is None
    ]
    if missing:
        raise RawFileError(
            f"{data_dir} lacks {', '.join(f'{name}.csv' for name in missing)} "
            "(zipped or not): put every required file there; optional are only "
            + ", ".join(f"{s.name}.csv" for s in sources if not s.is_required)
            + "."
        )
    return [_inspect(data_dir, own_cache, source) for source in sources]


def find_file(data_dir: Path, cache_dir: Path, name: str) -> Path | None:
    """Return one CSV of the directory, unpacked if need be; None if it is absent."""
    found = _candidate(data_dir, name)
    if found is None or found.suffix != ".zip":
        return found
    return _unpack(found, _own_cache(data_dir, cache_dir))


def _own_cache(data_dir: Path, cache_dir: Path) -> Path:
    digest = hashlib.sha256(str(data_dir.resolve()).encode()).hexdigest()
    return cache_dir / digest[:16]


def _candidate(data_dir: Path, name: str) -> Path | None:
    for suffix in (".csv", ".csv.zip"):
        path = data_dir / f"{name}{suffix}"
        if path.is_file():
            return path
    return None


def _inspect(data_dir: Path, own_cache: Path, source: SourceFile) -> RawFile:
    found = _candidate(data_dir, source.name)
    if found is None:
        return RawFile(source, None)
    if not os.access(found, os.R_OK):
        raise RawFileError(
            f"{found} must not be read by this user: give yourself the right to "
            f"(`chmod u+r {found}`)."
        )
    path = _unpack(found, own_cache) if found.suffix == ".zip" else found
    header = _read_header(path, found)
    known = {column.lower() for column in header}
    lacking = [column for column in source.columns if column.lower() not in known]
    if lacking:
        raise RawFileError(
            f"{found}, line 1: column {', '.join(lacking)} is missing; the header is "
            f"{','.join(header)!r}. Use the file as the competition gives it."
        )
    if len(known) < len(header):
        lower = [column.lower() for column in header]
        twice = next(c for c in header if lower.count(c.lower()) > 1)
        raise RawFileError(
            f"{found}, line 1: column {twice} is there more than once; the header is "
            f"{','.join(header)!r}. Use the file as the competition gives it."
        )
    facts = _remembered_facts(path, found, header, own_cache)
    if source.is_required and facts.n_rows == 0:
        raise RawFileError(
            f"{found} has a header and no rows: copy or download it again, the project "
            "needs what it holds."
        )
    return RawFile(source, path, header, path.stat().st_size, facts)


def _unpack(archive: Path, own_cache: Path) -> Path:
    """Unpack the archive's one CSV, unless the cache holds it already."""
    stat = archive.stat()
    try:
        with zipfile.ZipFile(archive) as bundle:
            members = [
                info
                for info in bundle.infolist()
                if info.filename.lower().endswith(".csv")
                and not info.filename.startswith("__MACOSX")
            ]
            if len(members) != 1:
                raise RawFileError(
                    f"{archive} holds {len(members)} CSV files, expected one: zip "
                    "each file by itself, or unpack it beside the archive."
                )
            target = own_cache / f"{archive.name}.{stat.st_size}.{stat.st_mtime_ns}.csv"
            if not target.is_file():
                own_cache.mkdir(parents=True, exist_ok=True)
                for stale in own_cache.glob(f"{archive.name}.*"):
                    stale.unlink()
                with bundle.open(members[0]) as packed:
                    _write_atomically(target, packed)
            return target
    # a password or an unknown compression is a RuntimeError
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise RawFileError(f"{archive} cannot be unpacked ({error}).") from error


def _write_atomically(target: Path, stream) -> None:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".unpacking-")
    try:
        with os.fdopen(handle, "wb") as file:
            shutil.copyfileobj(stream, file, length=1 << 20)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _read_header(path: Path, shown_as: Path) -> tuple[str, ...]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file), None)
    except UnicodeDecodeError as error:
        raise wrong_encoding(path, shown_as) from error
    except csv.Error as error:
        raise RawFileError(f"{shown_as}, line 1: no CSV header ({error}).") from error
    except OSError as error:
        raise RawFileError(f"{shown_as} cannot be read ({error.strerror}).") from error
    if not header:
        raise RawFileError(f"{shown_as} is empty: it needs at least the header line.")
    return tuple(column.strip() for column in header)


def _remembered_facts(
    path: Path, shown_as: Path, header: tuple[str, ...], own_cache: Path
) -> Facts:
    """Return the facts of a file, read once for as long as its size and time stay."""
    stat = path.stat()
    # facts of an earlier version of the checks would let pass what this one refuses
    checks = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]
    key = f"{checks}|{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"
    register = own_cache / "facts.json"
    try:
        known = json.loads(register.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    if key not in known:
        known[key] = asdict(_facts(path, shown_as, header))
        write_whole(register, json.dumps(known))
    facts = known[key]
    return Facts(
        facts["fingerprint"],
        facts["n_rows"],
        tuple(MalformedRow(**row) for row in facts["malformed"]),
        tuple((row, shift) for row, shift in facts["line_shifts"]),
    )


def _facts(path: Path, shown_as: Path, header: tuple[str, ...]) -> Facts:
    """Read a whole file, its bytes and then its rows."""
    text = _check_bytes(path, shown_as)
    n_read, malformed = _check_rows(path, shown_as, header, text)
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
    return Facts(text.fingerprint, n_read + len(malformed), malformed, shifts)


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
        while chunk := file.read(_CHUNK_BYTES):
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
        file.seek(max(0, path.stat().st_size - _CHUNK_BYTES))
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


def read_csv_sql(path: Path, header: tuple[str, ...], options: str = "") -> str:
    """Return DuckDB's table function over a CSV: every column text, `NA` null."""
    types = ", ".join(f"{quoted(column)}: 'VARCHAR'" for column in header)
    return (
        f"read_csv({quoted(str(path.resolve()))}, header = true, auto_detect = false, "
        "delim = ',', quote = '\"', escape = '\"', nullstr = 'NA', "
        f"max_line_size = {LONGEST_ROW}, "
        f"columns = {{{types}}}{options})"
    )


def quoted(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _check_rows(
    path: Path, shown_as: Path, header: tuple[str, ...], text: _Text
) -> tuple[int, tuple[MalformedRow, ...]]:
    """Return how many rows can be read, and those with a wrong number of fields."""
    table = read_csv_sql(path, header, ", store_rejects = true")
    try:
        with duckdb.connect(config={"threads": 2}) as connection:
            connection.execute("set enable_progress_bar = false")
            ((n_read,),) = connection.execute(
                f"select count(*) from {table}"
            ).fetchall()
            faults = connection.execute(
                "select line, max(csv_line), min(column_idx), max(column_idx), "
                "max(error_type) from reject_errors group by line order by line"
            ).fetchall()
    except duckdb.Error as error:
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
