"""Find, unpack and check the competition's files before dbt reads them.

Files are taken as Kaggle gives them: CSV, or CSV in a zip of its own, which is unpacked
once into a cache outside the data directory. Each is read once for as long as it stays
the same, and its rows are kept as Parquet beside (:mod:`ml.raw_cache`). Which files and
columns there are is written in ``models/staging/sources.yml`` and nowhere else.

What a file as a whole must be is checked here and in :mod:`ml.csv_checks`, and one
sentence says what is wrong; a row with too few or too many fields is set aside with its
line. What a row must hold is checked by SQL, in the models ``checked_*``.
"""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import yaml

from ml import raw_cache, settings
from ml.csv_checks import Facts, RawFileError, wrong_encoding

SOURCES_YAML = settings.PROJECT_DIR / "models" / "staging" / "sources.yml"
NO_FACTS = Facts("", 0)


@dataclass(frozen=True)
class SourceFile:
    """One file that the warehouse reads, as declared in the sources' YAML."""

    name: str
    columns: tuple[str, ...]
    is_required: bool


@dataclass(frozen=True)
class RawFile:
    """A source file as found on disk.

    Attributes
    ----------
    path
        CSV to read: the file itself or its unpacked copy; None if it is absent.
    header
        Column names in the file's own order.
    parts
        Where its rows are as Parquet, in the order of the file.
    checks
        Hash of the code that read it.
    """

    source: SourceFile
    path: Path | None
    header: tuple[str, ...] = ()
    n_bytes: int = 0
    facts: Facts = NO_FACTS
    parts: tuple[raw_cache.Part, ...] = ()
    checks: str = ""

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
    reading = raw_cache.read_once(
        raw_cache.Csv(source.name, path, found, header, source.columns), own_cache
    )
    facts = reading.facts
    if source.is_required and facts.n_rows == 0:
        raise RawFileError(
            f"{found} has a header and no rows: copy or download it again, the project "
            "needs what it holds."
        )
    return RawFile(
        source, path, header, reading.n_bytes, facts, reading.parts, reading.checks
    )


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
