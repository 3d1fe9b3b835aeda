"""Write the raw files as Parquet, one per table of schema raw: for BigQuery and Spark.

The files are found, unpacked and checked as before a build: every column is text, and
what the loader found (source_files, malformed_rows and others) is written as well. A
directory that cannot be used is refused in one sentence, and nothing is written.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import duckdb

from ml import cli, raw_files, raw_schema, settings
from ml.csv_checks import quoted

EXAMPLE = "example: python -m ml.export_raw --out data/raw_parquet"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("export_raw", __doc__, EXAMPLE)
    parser.add_argument(
        "--out", type=Path, required=True, help="directory for the Parquet files"
    )
    options = parser.parse_args(arguments)
    return cli.run(lambda: export(options.out))


def export(out: Path) -> list[Path]:
    """Write the files and say what they hold; return their paths.

    Raises
    ------
    RawFileError
        PONPARE_DATA_DIR has no usable files.
    """
    files = raw_files.find_raw_files(settings.data_dir(), settings.cache_dir())
    out.mkdir(parents=True, exist_ok=True)
    written = []
    with duckdb.connect(config={"memory_limit": settings.build_memory_limit()}) as conn:
        raw_schema.create(conn, files)
        tables = conn.execute(
            "select table_name from information_schema.tables "
            "where table_schema = 'raw' order by table_name"
        ).fetchall()
        for (table,) in tables:
            path = out / f"{table}.parquet"
            unfinished = path.with_suffix(".part")
            ((n_rows,),) = conn.execute(
                f"copy (from raw.{table}) to {quoted(str(unfinished))} (format parquet)"
            ).fetchall()
            unfinished.replace(path)
            written.append(path)
            print(f"{path}: {n_rows:,} rows, {path.stat().st_size:,} bytes")
    return written


if __name__ == "__main__":
    sys.exit(main())
