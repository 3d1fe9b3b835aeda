"""The schema ``raw``: a view over the rows of each file, and what the loader knows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from duckdb import DuckDBPyConnection

from ml import raw_files
from ml.csv_checks import quoted
from ml.raw_cache import Part
from ml.version import code_fingerprint


def create(conn: DuckDBPyConnection, files: Sequence[raw_files.RawFile]) -> None:
    """Make the views and the list of files, all or nothing."""
    conn.begin()
    conn.execute("create schema if not exists raw")
    for file in files:
        conn.execute(_view_sql(file))
    _fill(
        conn,
        "source_files (file_name varchar, is_present boolean, n_bytes bigint, "
        "fingerprint varchar, n_rows bigint)",
        [
            (
                file.source.name,
                file.path is not None,
                file.n_bytes,
                file.fingerprint,
                file.facts.n_rows,
            )
            for file in files
        ],
    )
    _fill(
        conn,
        "file_states (file_name varchar, last_line bigint, fingerprint varchar)",
        [
            (file.source.name, part.last_line, f"{file.checks} {part.fingerprint}")
            for file in files
            for part in file.parts
        ],
    )
    _fill(
        conn,
        "malformed_rows (file_name varchar, file_line bigint, raw_text varchar, "
        "reason varchar)",
        [
            (file.source.name, row.line, row.text, row.reason)
            for file in files
            for row in file.facts.malformed
        ],
    )
    _fill(conn, "project_code (fingerprint varchar)", [(code_fingerprint(),)])
    conn.commit()


def _fill(conn: DuckDBPyConnection, table: str, rows: list[tuple]) -> None:
    """Make a table in schema `raw` from its name with columns, and fill it."""
    conn.execute(f"create or replace table raw.{table}")
    if rows:
        marks = ", ".join("?" for _ in rows[0])
        name = table.split(" ", 1)[0]
        conn.executemany(f"insert into raw.{name} values ({marks})", rows)


def _view_sql(file: raw_files.RawFile) -> str:
    """Return the view over one file: every column as text, `NA` as null, and the line.

    An empty field stays an empty text, because an empty PREF_NAME has a meaning of
    its own. A file that is absent is a view without rows. Queries that do not ask for
    `file_line` do not pay for it.
    """
    name = file.source.name
    if file.path is None:
        columns = ", ".join(f'null::varchar as "{c}"' for c in file.source.columns)
        return (
            f"create or replace view raw.{name} as select {columns}, "
            "null::bigint as file_line where false"
        )
    columns = ", ".join(f'"{column}"' for column in file.source.columns)
    row_in_file, table = _rows_sql(file.parts)
    ((_, shift), *later) = file.facts.line_shifts
    if not later:
        return (
            f"create or replace view raw.{name} as select {columns}, "
            f"{row_in_file} + {shift} as file_line from {table}"
        )
    shifts = ", ".join(f"({row}, {shift})" for row, shift in file.facts.line_shifts)
    return (
        f"create or replace view raw.{name} as select {columns}, "
        "row_in_file + shift as file_line "
        f"from (select *, {row_in_file} as row_in_file from {table}) as counted "
        f"asof join (values {shifts}) as shifts (first_row, shift) "
        "on counted.row_in_file >= shifts.first_row"
    )


def _rows_sql(parts: Sequence[Part]) -> tuple[str, str]:
    """Return the number of a row in its file, from 1, and the table of all rows."""
    n_before = list(accumulate((part.n_rows for part in parts), initial=0))[:-1]
    paths = ", ".join(quoted(str(part.path.resolve())) for part in parts)
    return (
        f"{n_before}[cast(file_index as bigint) + 1] + file_row_number + 1",
        f"read_parquet([{paths}])",
    )
