"""The rows of each raw file as Parquet, in a cache outside the data directory.

A file is read once for as long as its size and time stay the same. One that has grown
while its old bytes are the same is read from where it had ended, and its new rows are a
further part; every other change, and any doubt, has it read anew as a whole. What is
known of a file then is the same either way.

Whoever reads a file holds a lock, others wait for it and find it read. Parts get names
of their own and are never changed, so that a warehouse whose views name those of the
reading before can still be asked; older ones are removed.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb

from ml import csv_checks
from ml.csv_checks import CHUNK_BYTES, Facts, MalformedRow, RawFileError
from ml.files import write_whole

#: Parts of a file; when there would be more, it is read anew as a whole. Each costs the
#: queries a little, and reading anew is a check.
MOST_PARTS = 26
#: What makes views of the parts, and numbers of lines in them.
_VIEWS = Path(__file__).with_name("raw_schema.py")
#: What Parquet files begin and end with.
_MARK = b"PAR1"


@dataclass(frozen=True)
class Csv:
    """A CSV that is to be read.

    Attributes
    ----------
    name
        What the file is called in ``sources.yml``.
    path, shown_as
        The CSV itself, and what messages call it: it may come from a zip.
    header
        Column names in the file's own order.
    columns
        Those that are kept.
    """

    name: str
    path: Path
    shown_as: Path
    header: tuple[str, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """Rows of a file that were read at one time.

    Attributes
    ----------
    path
        Parquet file: the declared columns, in the order of the rows.
    n_bytes
        Size of the Parquet file.
    n_rows
        Rows that can be read.
    fingerprint
        SHA-256 of the CSV's bytes to the end of these rows.
    last_line
        Of the CSV, below which no row stands yet.
    """

    path: Path
    n_bytes: int
    n_rows: int
    fingerprint: str
    last_line: int

    def is_whole(self) -> bool:
        """Return whether the file is there as it was written, by its size and ends."""
        try:
            with self.path.open("rb") as file:
                begins = file.read(len(_MARK))
                file.seek(-len(_MARK), os.SEEK_END)
                return (begins, file.read(), file.tell()) == (
                    _MARK,
                    _MARK,
                    self.n_bytes,
                )
        except OSError:
            return False


@dataclass(frozen=True)
class Reading:
    """What is known of a file that was read, and where its rows are.

    Attributes
    ----------
    checks
        Hash of the code that read it and of the columns that are kept.
    path, n_bytes, mtime_ns
        The CSV, its size, and when it was changed.
    parts
        In the order of the file; together they hold every row that can be read.
    """

    checks: str
    path: str
    n_bytes: int
    mtime_ns: int
    facts: Facts
    parts: tuple[Part, ...]


def read_once(csv: Csv, own_cache: Path) -> Reading:
    """Return what is known of a file; read it, or what is new of it, if need be.

    Raises
    ------
    RawFileError
        The file cannot be used, or was changed while it was read.
    """
    known = _known(csv, own_cache)
    if known and _is_of_now(known, csv):
        return known
    with _locked(own_cache):
        # another process may have read it meanwhile
        known = _known(csv, own_cache)
        if known and _is_of_now(known, csv):
            return known
        for left_over in own_cache.glob("*.new-*"):
            left_over.unlink()
        named_before = _names_of_parts(csv.name, own_cache)
        reading = known and _read_what_is_new(csv, known, own_cache)
        if not reading:
            reading = _read_all(csv, own_cache)
        _remember(csv.name, reading, own_cache)
        kept = {part.path.name for part in reading.parts} | named_before
        for path in own_cache.glob(f"{csv.name}.*.parquet"):
            if path.name not in kept:
                path.unlink()
        return reading


def _checks(csv: Csv) -> str:
    """Return a hash of all that decides what is found in the same bytes."""
    digest = hashlib.sha256(f"{duckdb.__version__}|{csv.header}|{csv.columns}".encode())
    # facts of an earlier version of the checks would let pass what this one refuses,
    # and lines are numbered by the views
    for module in (__file__, csv_checks.__file__, _VIEWS):
        digest.update(Path(module).read_bytes())
    return digest.hexdigest()[:16]


def _is_of_now(known: Reading, csv: Csv) -> bool:
    stat = csv.path.stat()
    return (known.path, known.n_bytes, known.mtime_ns) == (
        str(csv.path.resolve()),
        stat.st_size,
        stat.st_mtime_ns,
    )


def _read_all(csv: Csv, own_cache: Path) -> Reading:
    stat = csv.path.stat()
    new = own_cache / ".new-rows.parquet"
    # DuckDB writes beside a file that is there, under a name of its own
    new.unlink(missing_ok=True)
    facts = csv_checks.read_file(csv.path, csv.shown_as, csv.header, csv.columns, new)
    return _reading(csv, stat, facts, (), new)


def _read_what_is_new(csv: Csv, known: Reading, own_cache: Path) -> Reading | None:
    """Read the lines that were added to a file; None if it must be read as a whole."""
    stat = csv.path.stat()
    if (
        stat.st_size <= known.n_bytes
        or not known.facts.ends_with_line
        or len(known.parts) >= MOST_PARTS
    ):
        return None
    tail, new = own_cache / ".new-lines.csv", own_cache / ".new-rows.parquet"
    try:
        fingerprint = _copy_tail(csv, known, tail)
        if not fingerprint:
            return None
        found = csv_checks.read_file(tail, csv.shown_as, csv.header, csv.columns, new)
    except RawFileError:
        # reading the whole file says what is wrong, in its right line
        return None
    finally:
        tail.unlink(missing_ok=True)
    facts = known.facts.followed_by(found, fingerprint)
    return facts and _reading(csv, stat, facts, known.parts, new)


def _copy_tail(csv: Csv, known: Reading, target: Path) -> str | None:
    """Write what stands after the known bytes, below a line of header, to a file.

    Returns
    -------
    SHA-256 of the whole file; None if the known bytes are others, or if the new ones
    could mean something else by themselves than at the end of the file.
    """
    digest = hashlib.sha256()
    left = known.n_bytes
    with csv.path.open("rb") as file, target.open("wb") as copy:
        copy.write(b",".join([b"x"] * len(csv.header)) + b"\n")
        while chunk := file.read(min(left or CHUNK_BYTES, CHUNK_BYTES)):
            # what ends a line is found out of the whole file, unless it is plain
            if b"\r" in chunk:
                return None
            digest.update(chunk)
            if not left:
                copy.write(chunk)
                continue
            left -= len(chunk)
            if not left and digest.hexdigest() != known.facts.fingerprint:
                return None
    return digest.hexdigest()


def _reading(
    csv: Csv,
    stat: os.stat_result,
    facts: Facts,
    before: tuple[Part, ...],
    new: Path,
) -> Reading:
    """Give the new rows their name, unless the CSV is another than it was."""
    checks = _checks(csv)
    n_rows = facts.n_read - sum(part.n_rows for part in before)
    # the same bytes may be read from the beginning or from the end of a part
    key = f"{checks}|{facts.fingerprint}|{facts.n_read - n_rows}"
    digest = hashlib.sha256(key.encode()).hexdigest()
    path = new.with_name(f"{csv.name}.{digest[:16]}.parquet")
    part = Part(path, new.stat().st_size, n_rows, facts.fingerprint, facts.last_line)
    reading = Reading(
        checks,
        str(csv.path.resolve()),
        stat.st_size,
        stat.st_mtime_ns,
        facts,
        (*before, part),
    )
    if not _is_of_now(reading, csv):
        raise RawFileError(
            f"{csv.shown_as} was changed while it was read: wait until it is written, "
            "then run the command again."
        )
    if part.is_whole():
        # the same rows, which somebody may be reading
        new.unlink()
    else:
        with new.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(new, path)
    return reading


@contextmanager
def _locked(own_cache: Path) -> Iterator[None]:
    """Hold a lock that ends with the process, however that ends."""
    own_cache.mkdir(parents=True, exist_ok=True)
    with (own_cache / "lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _register(own_cache: Path) -> Path:
    return own_cache / "facts.json"


def _remembered(own_cache: Path) -> dict[str, dict]:
    try:
        known = json.loads(_register(own_cache).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _names_of_parts(name: str, own_cache: Path) -> set[str]:
    """Return what views of the reading before may still name, believed or not."""
    try:
        return {part["path"] for part in _remembered(own_cache)[name]["parts"]}
    except (KeyError, TypeError):
        return set()


def _known(csv: Csv, own_cache: Path) -> Reading | None:
    """Return the last reading of a file if this code made it and its rows are there."""
    kept = _remembered(own_cache).get(csv.name)
    try:
        if kept["checks"] != _checks(csv):
            return None
        facts = Facts(
            **kept["facts"]
            | {
                "malformed": tuple(
                    MalformedRow(**row) for row in kept["facts"]["malformed"]
                ),
                "line_shifts": tuple(
                    (row, shift) for row, shift in kept["facts"]["line_shifts"]
                ),
            }
        )
        parts = tuple(
            Part(**part | {"path": own_cache / part["path"]}) for part in kept["parts"]
        )
        reading = Reading(**kept | {"facts": facts, "parts": parts})
    except (KeyError, TypeError, ValueError):
        return None
    return reading if all(part.is_whole() for part in parts) else None


def _remember(name: str, reading: Reading, own_cache: Path) -> None:
    kept = asdict(reading)
    for part in kept["parts"]:
        part["path"] = part["path"].name
    register = _remembered(own_cache) | {name: kept}
    write_whole(_register(own_cache), json.dumps(register))
