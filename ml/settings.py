"""Where the project finds its data: the environment variables, read in one place.

``profiles.yml`` follows the same rules for dbt; a test holds the two together.
"""

from __future__ import annotations

import os
from pathlib import Path

PROJECT_DIR = Path(__file__).resolve().parent.parent
SYNTHETIC_MARKER = "SYNTHETIC.txt"


def data_dir() -> Path:
    """Directory with the raw files (``PONPARE_DATA_DIR``, default ``data/sample``)."""
    return Path(os.environ.get("PONPARE_DATA_DIR") or "data/sample")


def is_synthetic() -> bool:
    """Whether the data directory holds a generated sample."""
    return (data_dir() / SYNTHETIC_MARKER).is_file()


def warehouse_path() -> Path:
    """DuckDB file (``PONPARE_DB``, default ``warehouse/<data directory>.duckdb``)."""
    chosen = os.environ.get("PONPARE_DB")
    if chosen:
        return Path(chosen)
    directory = os.environ.get("PONPARE_DATA_DIR") or "data/sample"
    return warehouse_of(directory)


def warehouse_of(directory: str | Path) -> Path:
    """DuckDB file that a data directory has by default."""
    name = str(directory).rstrip("/").split("/")[-1]
    return Path("warehouse") / f"{name}.duckdb"


def cache_dir() -> Path:
    """Directory for the files' rows and unpacked zips (``PONPARE_CACHE``)."""
    return Path(os.environ.get("PONPARE_CACHE") or PROJECT_DIR / ".cache")


def memory_limit() -> str:
    """DuckDB's memory limit while ``ml`` reads (``PONPARE_ML_MEMORY``, default 1500MB).

    Lower than the one of ``dbt build``, because the matrices need room beside it.
    """
    return os.environ.get("PONPARE_ML_MEMORY") or "1500MB"


def build_memory_limit() -> str:
    """DuckDB's memory limit during ``dbt build`` (``PONPARE_MEMORY``, default 3GB)."""
    return os.environ.get("PONPARE_MEMORY") or "3GB"
