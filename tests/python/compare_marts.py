"""Marts of another engine, as Parquet, held against those of a DuckDB file.

Rows are matched by all columns but the inexact ones; rows that are alike in them are
matched in the order of the inexact ones. So a table needs no key, and a row that only
one side has is found whatever else is alike. Where several rows are alike, a difference
that is too small to count may change their order, and is then reported all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from duckdb import DuckDBPyConnection

#: How far two numbers may lie apart, of the larger one, by DuckDB's type.
TOLERANCES = {"FLOAT": 1e-6, "DOUBLE": 1e-9}
#: What is a whole number, however many bytes it takes.
WHOLE = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"}
N_SHOWN = 3


def columns(conn: DuckDBPyConnection, relation: str) -> dict[str, str]:
    """Return the type of each column, of all whole numbers the same."""
    described = conn.execute(f"describe select * from {relation}").fetchall()
    return {row[0]: "WHOLE" if row[1] in WHOLE else row[1] for row in described}


def differences(
    conn: DuckDBPyConnection, relation: str, directory: Path
) -> Iterator[str]:
    """Yield a line for each way in which Parquet files differ from a relation."""
    other = f"read_parquet('{directory}/*.parquet')"
    ours, theirs = columns(conn, relation), columns(conn, other)
    if list(ours.items()) != list(theirs.items()):
        lacking = sorted(set(ours.items()) ^ set(theirs.items())) or list(theirs)
        yield f"{relation}: columns or their types or order differ: {lacking}"
        return
    _match(conn, relation, other, ours)
    for side, lacking in {"DuckDB": "nth_theirs", "Parquet": "nth"}.items():
        (n_rows,) = conn.execute(
            f"select count(*) from matched where {lacking} is null"
        ).fetchone()
        if n_rows:
            own = (f'"{name}{"" if side == "DuckDB" else "_theirs"}"' for name in ours)
            rows = conn.execute(
                f"select {', '.join(own)} from matched where {lacking} is null "
                f"order by all limit {N_SHOWN}"
            ).fetchall()
            yield f"{relation}: {n_rows} rows of {side} alone, as {rows}"
    for name, kind in ours.items():
        if kind not in TOLERANCES:
            continue
        own, their = f'"{name}"', f'"{name}_theirs"'
        n_rows, shown, theirs_shown = conn.execute(
            f"select count(*), any_value({own}), any_value({their}) from matched "
            "where nth is not null and nth_theirs is not null and ("
            f"({own} is null) != ({their} is null) or abs({own} - {their})"
            f" > {TOLERANCES[kind]} * greatest(abs({own}), abs({their})))"
        ).fetchone()
        if n_rows:
            yield f"{relation}.{name}: {n_rows} differ, as {shown!r}, {theirs_shown!r}"


def _match(
    conn: DuckDBPyConnection, relation: str, other: str, kinds: dict[str, str]
) -> None:
    """Make the table `matched`: each row of one side beside its like on the other."""
    inexact = [f'"{name}"' for name, kind in kinds.items() if kind in TOLERANCES]
    exact = [f'"{name}"' for name in kinds if f'"{name}"' not in inexact]
    partition = f"partition by {', '.join(exact)}" if exact else ""
    order = f"order by {', '.join(inexact)}" if inexact else ""
    numbered = f"select *, row_number() over ({partition} {order}) as nth from"
    alike = " and ".join(
        f"ours.{name} is not distinct from theirs.{name}" for name in [*exact, "nth"]
    )
    sides = ", ".join(
        f'ours."{name}" as "{name}", theirs."{name}" as "{name}_theirs"'
        for name in [*kinds, "nth"]
    )
    conn.execute(
        f"create or replace temp table matched as select {sides} "
        f"from ({numbered} {relation}) as ours "
        f"full join ({numbered} {other}) as theirs on {alike}"
    )
