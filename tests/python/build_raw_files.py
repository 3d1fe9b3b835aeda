"""Tiny data directories in the competition's format."""

from __future__ import annotations

import zipfile
from pathlib import Path

from ml.raw_files import declared_sources

#: Columns per file, in the order of the sources' YAML.
COLUMNS = {source.name: source.columns for source in declared_sources()}
REQUIRED = tuple(s.name for s in declared_sources() if s.is_required)
OPTIONAL = tuple(s.name for s in declared_sources() if not s.is_required)


def csv_text(name: str, rows: list[dict[str, str]], newline: str = "\n") -> str:
    """Return a file's text: header and rows; a field that a row leaves out is x."""
    columns = COLUMNS[name]
    lines = [columns] + [[row.get(column, "x") for column in columns] for row in rows]
    return "".join(",".join(line) + newline for line in lines)


def write_csv(data_dir: Path, name: str, rows: list[dict[str, str]]) -> Path:
    """Write one file of the directory and return its path."""
    path = data_dir / f"{name}.csv"
    path.write_text(csv_text(name, rows), encoding="utf-8", newline="")
    return path


def write_zip(data_dir: Path, name: str, members: dict[str, bytes]) -> Path:
    """Write ``<name>.csv.zip`` with the given members and return its path."""
    path = data_dir / f"{name}.csv.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        for member, content in members.items():
            bundle.writestr(member, content)
    return path


def write_required(data_dir: Path) -> None:
    """Write every required file, with one row each."""
    data_dir.mkdir(parents=True, exist_ok=True)
    for name in REQUIRED:
        write_csv(data_dir, name, [{}])
