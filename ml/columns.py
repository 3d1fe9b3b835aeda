"""Which columns the columns of the models are made from, read from their SQL.

Lineage is of values: what a column is computed from, through all CTEs of its model.
Conditions of joins and filters, which decide on rows and not on values, are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.lineage import lineage

DIALECT = "duckdb"
#: Folder of the tables that dbt creates and `ml` fills.
FILLED_BY_ML = "written_by_training"
BY_ML = "written by ml"


@dataclass(frozen=True, order=True)
class Column:
    """A column of a table, written `schema.table.column`."""

    table: str
    name: str

    def __str__(self) -> str:
        return f"{self.table}.{self.name}"


@dataclass
class ColumnLineage:
    """Columns of the warehouse and what they come from.

    Attributes
    ----------
    parents
        Columns that each column is computed from. Empty for files and seeds, for
        constants and counts of rows, for tables that `ml` writes, and for models that
        could not be read.
    descriptions
        What the YAML says of each column.
    kinds
        `source`, `seed`, `model` or `written by ml` of each table.
    read_by_ml
        Tables that `ml` reads to fill each of its own, as far as dbt is told.
    unresolved
        Models whose SQL could not be read, and why.
    """

    parents: dict[Column, list[Column]] = field(default_factory=dict)
    descriptions: dict[Column, str] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    read_by_ml: dict[str, list[str]] = field(default_factory=dict)
    unresolved: dict[str, str] = field(default_factory=dict)

    def note(self, table: str) -> str:
        """Return in words what a table is; a model is what most are: no words."""
        kind = self.kinds[table]
        if self.read_by_ml.get(table):
            return f"{kind}, which reads {', '.join(self.read_by_ml[table])}"
        return "" if kind == "model" else kind

    def children(self) -> dict[Column, list[Column]]:
        """Return the columns that are computed from each column."""
        made: dict[Column, list[Column]] = {column: [] for column in self.parents}
        for column, parents in self.parents.items():
            for parent in parents:
                made[parent].append(column)
        return made


def column_lineage(manifest: dict) -> ColumnLineage:
    """Read the lineage of all columns.

    Parameters
    ----------
    manifest
        dbt's manifest with compiled SQL.
    """
    found = ColumnLineage()
    schema: dict[str, dict[str, dict[str, dict[str, str]]]] = {}
    tables = list(_tables(manifest))
    names = {node["unique_id"]: _table_name(node) for node in tables}
    for node in tables:
        table = _table_name(node)
        found.kinds[table] = _kind(node)
        if found.kinds[table] == BY_ML:
            read = node["depends_on"]["nodes"]
            found.read_by_ml[table] = sorted(names[unique_id] for unique_id in read)
        for column in node["columns"].values():
            key = Column(table, column["name"])
            found.parents[key] = []
            found.descriptions[key] = column["description"]
        at = exp.to_table(node["relation_name"], dialect=DIALECT)
        schema.setdefault(at.catalog, {}).setdefault(at.db, {})[at.name] = {
            name: column.get("data_type") or "unknown"
            for name, column in node["columns"].items()
        }
    # the engine takes no notice of case, the header of a file is in upper case
    known = {str(column).lower(): column for column in found.parents}
    for node in tables:
        table = _table_name(node)
        if found.kinds[table] != "model":
            continue
        try:
            columns = dict(_parents(node["compiled_code"], schema, known))
            wanted = {str(Column(table, name)).lower() for name in node["columns"]}
            missing = wanted - {f"{table}.{name}".lower() for name in columns}
            if missing:
                raise ValueError(f"no column {', '.join(sorted(missing))} in its SQL")
        except (SqlglotError, ValueError) as error:
            found.unresolved[table] = str(error).splitlines()[0]
            continue
        for name, parents in columns.items():
            column = known.get(f"{table}.{name}".lower())
            if column:
                found.parents[column] = parents
    return found


def _tables(manifest: dict) -> Iterator[dict]:
    yield from manifest["sources"].values()
    for node in manifest["nodes"].values():
        if node["resource_type"] in {"model", "seed"}:
            yield node


def _table_name(node: dict) -> str:
    return f"{node['schema']}.{node['name']}"


def _kind(node: dict) -> str:
    return BY_ML if FILLED_BY_ML in node["fqn"] else node["resource_type"]


def _parents(
    sql: str, schema: dict, known: dict[str, Column]
) -> Iterator[tuple[str, list[Column]]]:
    """Yield each column of a query with the columns of tables that it comes from.

    Raises
    ------
    ValueError
        The query reads a column that the YAML does not list.
    """
    # untrimmed: trimming copies the query for each column, minutes for a long one
    outputs = lineage(None, sql, schema=schema, dialect=DIALECT, trim_selects=False)
    for name, output in outputs.items():
        parents = set()
        for step in output.walk():
            if not isinstance(step.source, exp.Table) or isinstance(
                step.source.this, exp.Func
            ):
                continue
            read = exp.to_column(step.name, dialect=DIALECT).name
            column = f"{step.source.db}.{step.source.name}.{read}"
            if column.lower() not in known:
                raise ValueError(f"it reads {column}, which no YAML lists")
            parents.add(known[column.lower()])
        yield name, sorted(parents)
