"""Estimate what a build on BigQuery reads, in the bytes that it would bill.

Sizes come from the warehouse of PONPARE_DATA_DIR in the sizes of BigQuery's types (8
bytes a number or date, 2 and its UTF-8 bytes a text). A model is billed for all columns
of the tables that it names, those behind its views included: BigQuery reads only the
columns that a query uses, so the true figure is lower. Nothing is sent anywhere.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from ml import cli
from ml.manifest import read_manifest
from ml.warehouse import Warehouse, open_warehouse

EXAMPLE = "example: PONPARE_DATA_DIR=data/full python -m ml.bigquery_bytes"
#: BigQuery bills at least so much for each table that a query names.
LEAST_BYTES = 10 * 1024**2
GIB = 1024**3
FIXED_BYTES = {"BOOLEAN": 1}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("bigquery_bytes", __doc__, EXAMPLE)
    parser.parse_args(arguments)
    return cli.run(report)


def report() -> None:
    """Print the estimate of a build of the project as it stands."""
    nodes = read_manifest()["nodes"]
    with open_warehouse(read_only=True) as warehouse:
        sizes = table_bytes(warehouse)
    for kind, (n_nodes, n_bytes) in estimate(nodes, sizes).items():
        print(f"{n_nodes:,} {kind}: {n_bytes / GIB:,.1f} GiB read at most")
    print(f"stored, with the files: {sum(sizes.values()) / GIB:,.1f} GiB")


def estimate(
    nodes: Mapping[str, dict], sizes: Mapping[str, int]
) -> dict[str, tuple[int, int]]:
    """Return how many models and data tests there are, and the bytes billed for them.

    Parameters
    ----------
    nodes
        Of dbt's manifest.
    sizes
        Bytes of each table, from :func:`table_bytes`.
    """
    found = {}
    for resource_type, words in (("model", "models"), ("test", "data tests")):
        billed = [
            billed_bytes(name, nodes, sizes)
            for name, node in nodes.items()
            if node["resource_type"] == resource_type
        ]
        found[words] = len(billed), sum(billed)
    return found


def table_bytes(warehouse: Warehouse) -> dict[str, int]:
    """Return per table, as ``schema.name``, its bytes in BigQuery's types.

    A raw file, all text, has the bytes of its CSV.
    """
    columns = warehouse.rows(
        "select schema_name, table_name, column_name, data_type from duckdb_columns() "
        "where not internal and table_name in (select table_name from duckdb_tables())"
    )
    by_table: dict[str, list[str]] = {}
    for schema, table, column, data_type in columns:
        size = (
            f'coalesce(sum(2 + strlen("{column}")), 0)'
            if data_type == "VARCHAR"
            else f'{FIXED_BYTES.get(data_type, 8)} * count("{column}")'
        )
        by_table.setdefault(f"{schema}.{table}", []).append(size)
    sizes = {
        table: int(warehouse.rows(f"select {' + '.join(sums)} from {table}")[0][0])
        for table, sums in by_table.items()
    }
    files = warehouse.rows("select file_name, n_bytes from raw.source_files")
    return sizes | {f"raw.{name}": n_bytes for name, n_bytes in files}


def billed_bytes(name: str, nodes: Mapping[str, dict], sizes: Mapping[str, int]) -> int:
    """Return what a query is billed for: all tables behind it, each once."""
    tables: set[str] = set()
    seen: set[str] = set()
    waiting = list(nodes[name]["depends_on"]["nodes"])
    while waiting:
        parent = waiting.pop()
        if parent in seen:
            continue
        seen.add(parent)
        if parent.startswith("source."):
            tables.add(f"raw.{parent.split('.')[-1]}")
            continue
        node = nodes[parent]
        if node["config"]["materialized"] == "view":
            waiting.extend(node["depends_on"]["nodes"])
        else:
            tables.add(f"{node['schema']}.{node['alias']}")
    return sum(max(sizes.get(table, 0), LEAST_BYTES) for table in tables)


if __name__ == "__main__":
    sys.exit(main())
