"""Analyse every compiled query as BigQuery would: names, types, functions, syntax.

Run by ``make test-bigquery`` in an environment of its own. Reads what ``dbt compile
--target bigquery`` wrote, resolves each query with ZetaSQL, the front end of BigQuery
that Google publishes, and parses it with sqlglot's dialect, strictly. A model is a
table with the columns and types that ZetaSQL found for it, so that what reads it is
checked against what it really returns. Prints one line per query that fails; exits 1 if
there is one.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable
from pathlib import Path

import sqlglot
from zetasql.api import CatalogBuilder, TableBuilder
from zetasql.core import ZetaSqlLocalService
from zetasql.types import (
    AnalyzeRequest,
    AnalyzerOptions,
    LanguageOptions,
    ProductMode,
    SimpleCatalog,
    Type,
    TypeKind,
    ZetaSQLBuiltinFunctionOptions,
)
from zetasql.wasi._pb2.zetasql.local_service.local_service_pb2 import AnalyzeResponse

QUALIFIED = re.compile(r"`([^`]+)`\.`([^`]+)`\.`([^`]+)`")

#: Names that BigQuery has for its whole numbers and its truth values besides ZetaSQL's
#: own: https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types
ALIASES = {
    **dict.fromkeys(["integer", "int", "smallint", "bigint"], TypeKind.TYPE_INT64),
    "boolean": TypeKind.TYPE_BOOL,
}
#: The test that is run, not only analysed: it reads no table.
RUN = "engine_macros_give_known_values"
#: Types of the columns of sources and seeds.
COLUMN_TYPES = {
    **ALIASES,
    "string": TypeKind.TYPE_STRING,
    "float64": TypeKind.TYPE_DOUBLE,
    "date": TypeKind.TYPE_DATE,
}


def language() -> LanguageOptions:
    """Return ZetaSQL's language as BigQuery offers it: no types of Google's inside."""
    options = LanguageOptions.maximum_features()
    options.product_mode = ProductMode.PRODUCT_EXTERNAL
    return options


class Warehouse:
    """The tables known so far, and queries against them."""

    def __init__(self) -> None:
        self.service = ZetaSqlLocalService.get_instance()
        self.options = AnalyzerOptions(
            language_options=language(), prune_unused_columns=True
        )
        self.tables = {}
        self.registered = None

    def add(self, relation: str, columns: list[tuple[str, TypeKind]]) -> None:
        """Make a table known by its name as dbt writes it."""
        builder = TableBuilder(plain_name(relation))
        for name, kind in columns:
            builder = builder.add_column(name, kind)
        self.tables[relation] = builder.build()

    def complete(self) -> None:
        """Say that all tables are known: from now on they are not sent with a query."""
        self.registered = self.service.register_catalog(
            simple_catalog=self.catalog(self.tables)
        ).registered_id

    def catalog(self, relations: Iterable[str]) -> SimpleCatalog:
        """Return some of the tables with BigQuery's functions and types."""
        builder = CatalogBuilder("warehouse")
        for relation in relations:
            builder = builder.add_table(self.tables[relation])
        catalog = builder.with_builtin_functions(
            ZetaSQLBuiltinFunctionOptions(
                language_options=self.options.language_options
            )
        ).build()
        catalog.named_type = [
            SimpleCatalog.NamedType(name=name, type=Type(type_kind=kind))
            for name, kind in ALIASES.items()
        ]
        return catalog

    def columns(self, sql: str) -> list[tuple[str, TypeKind]]:
        """Return name and type of each column of a query; raises what is wrong."""
        tables = (
            {
                "simple_catalog": self.catalog(
                    name for name in self.tables if name in sql
                )
            }
            if self.registered is None
            else {"registered_catalog_id": self.registered}
        )
        request = AnalyzeRequest(
            options=self.options, sql_statement=flat_names(sql), **tables
        )
        # the reply as it comes: turned into the package's own objects, it takes longer
        # than the analysis
        reply = self.service.wasm_client.call_grpc_func(
            "ZetaSqlLocalService_Analyze", request.to_proto(), AnalyzeResponse
        )
        query = reply.resolved_statement.resolved_query_stmt_node
        return [
            (column.name, TypeKind(column.column.type.type_kind))
            for column in query.output_column_list
        ]

    def n_rows(self, sql: str) -> int:
        """Return how many rows a query returns that reads no table: it is run."""
        prepared = self.service.prepare_query(
            sql=sql, options=self.options, simple_catalog=self.catalog([])
        )
        answer = self.service.evaluate_query(
            prepared_query_id=prepared.prepared.prepared_query_id
        )
        rows = answer.content.table_data
        return len(rows.row) if rows else 0


def plain_name(relation: str) -> str:
    """Return `` `a`.`b`.`c` `` as ``a.b.c``."""
    return relation.replace("`", "")


def flat_names(sql: str) -> str:
    """Return the query with each table's name as one identifier."""
    return QUALIFIED.sub(r"`\1.\2.\3`", sql)


def seed_columns(seed: dict, root: Path) -> list[tuple[str, TypeKind]]:
    """Return the columns of a seed; those without a type are whole numbers or text."""
    path = root / seed["original_file_path"]
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    given = seed["config"]["column_types"]
    first = dict(zip(header.split(","), rows[0].split(","), strict=False))
    return [
        (
            name,
            COLUMN_TYPES[given[name].lower()]
            if name in given
            else TypeKind.TYPE_INT64
            if first[name].lstrip("-").isdigit()
            else TypeKind.TYPE_STRING,
        )
        for name in header.split(",")
    ]


def in_order(nodes: dict[str, dict]) -> list[dict]:
    """Return nodes after those that they read."""
    found: dict[str, dict] = {}

    def visit(name: str) -> None:
        if name in found or name not in nodes:
            return
        for parent in nodes[name]["depends_on"].get("nodes", []):
            visit(parent)
        found[name] = nodes[name]

    for name in nodes:
        visit(name)
    return list(found.values())


def failures(manifest: dict, root: Path) -> tuple[int, list[str]]:
    """Return the number of queries looked at, and a line for each that fails."""
    warehouse = Warehouse()
    for source in manifest["sources"].values():
        warehouse.add(
            source["relation_name"],
            [
                (name, COLUMN_TYPES[(column["data_type"] or "string").lower()])
                for name, column in source["columns"].items()
            ],
        )
    found = []
    n_queries = 0
    nodes = in_order(manifest["nodes"])
    models = [node for node in nodes if node["resource_type"] == "model"]
    others = [node for node in nodes if node["resource_type"] in {"test", "analysis"}]
    for seed in manifest["nodes"].values():
        if seed["resource_type"] == "seed":
            warehouse.add(seed["relation_name"], seed_columns(seed, root))
    for node in [*models, None, *others]:
        if node is None:
            warehouse.complete()
            continue
        n_queries += 1
        try:
            if "compiled_code" not in node:
                raise ValueError("was not compiled")
            sql = node["compiled_code"]
            sqlglot.parse_one(
                sql, read="bigquery", error_level=sqlglot.ErrorLevel.RAISE
            )
            columns = warehouse.columns(sql)
            if node["resource_type"] == "model":
                warehouse.add(node["relation_name"], columns)
            if node["name"] == RUN and (n_rows := warehouse.n_rows(sql)):
                raise ValueError(f"{n_rows} answers are not those of DuckDB")
        except Exception as error:  # whatever either of them raises is the finding
            said = " ".join(str(error).split())
            found.append(f"{node['original_file_path']} {node['name']}: {said}")
    return n_queries, found


def main() -> int:
    """Print what fails; return 1 if something does."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path, help="manifest.json of `dbt compile`")
    parser.add_argument(
        "--root", type=Path, default=Path("."), help="project directory"
    )
    arguments = parser.parse_args()
    manifest = json.loads(arguments.manifest.read_text(encoding="utf-8"))
    n_queries, found = failures(manifest, arguments.root)
    for line in found:
        print(line)
    print(f"{n_queries} queries, {len(found)} that BigQuery would refuse")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
