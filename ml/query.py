"""Run one SQL query on the warehouse and print the result."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import duckdb

from ml import cli
from ml.warehouse import open_warehouse

EXAMPLE = (
    'example: python -m ml.query "from reporting.recommendations '
    'where rank = 1 limit 5"'
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("query", __doc__, EXAMPLE)
    parser.add_argument("sql", help="query in DuckDB's SQL")
    options = parser.parse_args(arguments)
    return cli.run(lambda: query(options.sql))


def query(sql: str) -> None:
    """Print the rows of a query; the warehouse is opened for reading only.

    It may be one whose build has stopped: the quarantine says why.
    """
    with open_warehouse(read_only=True, must_be_built=False) as warehouse:
        try:
            relation = warehouse.connection.sql(sql)
            if relation is not None:
                relation.show(max_width=200, max_rows=100)
        except duckdb.Error as error:
            raise cli.CommandError(f"the query failed: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
