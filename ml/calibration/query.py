"""How measures are asked for: queries that return names and values."""

from __future__ import annotations

import duckdb


def named_values(con: duckdb.DuckDBPyConnection, query: str) -> dict[str, float]:
    """Run a query with two columns, name and value; null becomes nan."""
    return {
        str(name): float("nan") if value is None else float(value)
        for name, value in con.execute(query).fetchall()
    }
