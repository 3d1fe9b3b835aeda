"""What the report is made of: one small query per picture, in sql/, on marts alone."""

from __future__ import annotations

from pathlib import Path

import duckdb

from ml.markdown import cut
from ml.warehouse import Warehouse, WarehouseError

SQL_DIR = Path(__file__).parent / "sql"

#: A row by its columns.
Row = dict[str, object]


def read_data(warehouse: Warehouse) -> dict[str, list[Row]]:
    """Run all queries; return the rows by the name of the query, long texts cut.

    Raises
    ------
    WarehouseError
        A table or column is missing: the warehouse is of another version.
    """
    return {path.stem: _rows(warehouse, path) for path in sorted(SQL_DIR.glob("*.sql"))}


def _rows(warehouse: Warehouse, path: Path) -> list[Row]:
    try:
        rows = warehouse.table(path.read_text(encoding="utf-8")).to_pylist()
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        reason = str(error).splitlines()[0]
        raise WarehouseError(
            f"the warehouse does not fit this version of the report ({path.stem}: "
            f"{reason}): run `dbt build`."
        ) from error
    return [
        {
            column: cut(value) if isinstance(value, str) else value
            for column, value in row.items()
        }
        for row in rows
    ]
