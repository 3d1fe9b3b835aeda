"""Queries of ``ml``, which are DuckDB's SQL, as Spark takes them."""

from __future__ import annotations

from functools import cache

import sqlglot
from sqlglot import exp


@cache
def spark_sql(query: str) -> str:
    """Return a query in Spark's SQL; every name is quoted.

    Raises
    ------
    sqlglot.errors.SqlglotError
        It cannot be read, is not one statement, or has no counterpart.
    """
    statement = sqlglot.parse_one(query, read="duckdb")
    if statement.find(exp.Qualify):
        # it would become a subquery that takes the order of the rows with it
        raise sqlglot.UnsupportedError(f"qualify loses its order on Spark: {query}")
    return statement.sql(
        "spark", identify=True, unsupported_level=sqlglot.ErrorLevel.RAISE
    )
