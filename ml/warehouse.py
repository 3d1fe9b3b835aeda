"""The only door to the warehouse: open it, read marts as Arrow, write in one go."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from ml import settings
from ml.process_memory import give_back

DUCKDB, SPARK = "duckdb", "spark"
#: Engines that a warehouse may be on, by the names of dbt's adapters.
TARGETS = (DUCKDB, SPARK)


class WarehouseError(Exception):
    """The warehouse cannot serve a request; the message says what to do."""


@dataclass(frozen=True)
class Column:
    """One column of the pair marts, as their contract describes it.

    Attributes
    ----------
    role
        ``key``, ``label``, ``weight``, ``feature`` or ``info``.
    feature_group
        As in ``docs/features.md``; empty unless a feature.
    data_type
        DuckDB's name of the type; ``varchar`` features are categorical.
    reason, reason_when, reason_limit
        Words for a recommendation's reason, and the side (``high`` or ``low``) of the
        limit on which they are true, the average if there is none; empty if the
        feature is never named.
    reason_needs, reason_needs_at_most
        Another feature that must be known for the words to be true, and its greatest
        value with which they are; empty and None if there is no such condition.
    level
        ``user`` if the feature is the same for all of a cutoff's coupons, ``coupon`` if
        it is for all users, else ``pair``; empty unless a feature.
    """

    name: str
    role: str
    feature_group: str
    data_type: str
    reason: str
    reason_when: str
    reason_limit: float | None = None
    reason_needs: str = ""
    reason_needs_at_most: float | None = None
    level: str = ""

    @property
    def is_categorical(self) -> bool:
        """Whether the column holds categories, told by its type."""
        return self.data_type.lower() == "varchar"


@dataclass(frozen=True)
class Cutoff:
    """One target week: see ``features.cutoffs``."""

    date: dt.date
    is_labelled: bool
    is_selection: bool
    n_coupons: int


class Warehouse:
    """An open warehouse, on DuckDB. Use :func:`open_warehouse` to get one.

    Queries are DuckDB's SQL. Spark's door, :class:`ml.spark.warehouse.SparkWarehouse`,
    has the same methods.
    """

    #: One of ``TARGETS``.
    engine = DUCKDB
    #: The command that builds it.
    build = "`dbt build`"
    #: Users whose scores are evaluated at most; None for all, which fit into memory.
    max_evaluated_users: int | None = None

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def rows(self, query: str, parameters: list | None = None) -> list[tuple]:
        """Return the rows of a small query."""
        return self.connection.execute(query, parameters or []).fetchall()

    def table(self, query: str, parameters: list | None = None) -> pa.Table:
        """Return the whole result of a query as an Arrow table."""
        return self.connection.sql(query, params=parameters or []).to_arrow_table()

    def stream(
        self,
        query: str,
        parameters: list | None = None,
        batch_rows: int = 250_000,
    ) -> Iterator[pa.RecordBatch]:
        """Yield the result of a query of pairs in Arrow batches.

        The tables are joined in the order of the query, each hashed and looked up by
        what was joined before it. The optimiser takes the cross join of users and
        coupons for small and would hash that, in gigabytes.

        Parameters
        ----------
        batch_rows
            Rows of a batch at most.
        """
        # of the database, not of the connection, which is busy while the reader is open
        settings_of_database = self.connection.cursor()
        settings_of_database.execute(
            "set disabled_optimizers = 'join_order,build_side_probe_side'"
        )
        try:
            relation = self.connection.sql(query, params=parameters or [])
            reader = relation.to_arrow_reader(batch_rows)
        finally:
            settings_of_database.execute("reset disabled_optimizers")
        yield from reader

    def columns(self, mart: str) -> list[Column]:
        """Return the contract of a pair mart (``training_pairs``, ``scoring_pairs``).

        Raises
        ------
        WarehouseError
            The contract and the mart's own columns differ.
        """
        columns = [
            Column(*row)
            for row in self.rows(
                "select column_name, role, feature_group, data_type, reason, "
                "reason_when, reason_limit, reason_needs, reason_needs_at_most, level "
                "from ml.column_roles where mart_name = ? order by position",
                [mart],
            )
        ]
        if [column.name for column in columns] != self.column_names("ml", mart):
            raise WarehouseError(
                f"ml.{mart} and its contract in ml.column_roles differ: run "
                "`dbt build` so that both come from the same project."
            )
        return columns

    def cutoffs(self) -> list[Cutoff]:
        """Return the cutoffs in use, oldest first."""
        return [
            Cutoff(*row)
            for row in self.rows(
                "select cutoff_date, is_labelled, is_selection, n_coupons "
                "from features.cutoffs order by cutoff_date"
            )
        ]

    def check_same_data(self, fingerprint: str, consequence: str) -> None:
        """Raise WarehouseError if the marts were rebuilt from other files.

        Parameters
        ----------
        fingerprint
            Of the data on which a run has begun.
        consequence
            What has become of its results and what to do.
        """
        if self.data_fingerprint() != fingerprint:
            raise WarehouseError(
                "the marts were rebuilt from other files while this run was going on; "
                f"{consequence}"
            )

    def column_names(self, schema: str, table: str) -> list[str]:
        """Return the columns of a table in their order; none if it is not there."""
        return [
            row[0]
            for row in self.rows(
                "select column_name from duckdb_columns() where schema_name = ? "
                "and table_name = ? order by column_index",
                [schema, table],
            )
        ]

    def table_names(self, schema: str) -> set[str]:
        """Return the tables and views of a schema; none if it is not there."""
        return {
            row[0]
            for row in self.rows(
                "select table_name from information_schema.tables "
                "where table_schema = ?",
                [schema],
            )
        }

    def check_table(self, name: str) -> None:
        """Raise WarehouseError unless schema ``ml`` has this table."""
        if name not in self.table_names("ml"):
            raise WarehouseError(f"ml.{name} is not there yet: run `dbt build` first.")

    def data_fingerprint(self) -> str:
        """Return the fingerprint of the files from which the marts were built.

        Raises
        ------
        WarehouseError
            The last build did not finish: some tables are of other files than others.
        """
        ((current,),) = self.rows(
            "select data_fingerprint from staging.data_fingerprint"
        )
        built = self.rows("select data_fingerprint from ml.build_fingerprint")
        if built != [(current,)]:
            raise WarehouseError(
                "the last `dbt build` did not finish, so the marts mix old and new "
                "files: mend what it reported and run `dbt build` again."
            )
        return current

    def is_built_by(self, project_fingerprint: str) -> bool:
        """Return whether the marts were built by this SQL.

        Parameters
        ----------
        project_fingerprint
            See :func:`ml.version.code_fingerprint`.
        """
        if "project_fingerprint" not in self.column_names("ml", "build_fingerprint"):
            return False
        built = self.rows("select project_fingerprint from ml.build_fingerprint")
        return built == [(project_fingerprint,)]

    def release_memory(self) -> None:
        """Give back what is kept of the tables that were read, and all that is free."""
        for limit in ("100MB", settings.memory_limit()):
            self.connection.execute(f"set memory_limit = '{limit}'")
        pa.default_memory_pool().release_unused()
        give_back()

    @contextmanager
    def registered(self, name: str, table: pa.Table) -> Iterator[None]:
        """Let queries of a block read an Arrow table under a name."""
        self.connection.register(name, table)
        try:
            yield
        finally:
            self.connection.unregister(name)

    def append(self, table: str, rows: pa.Table) -> None:
        """Add rows to a table of schema ``ml``; columns that they lack are null."""
        with self.registered("new_rows", rows):
            self.rows(f"insert into ml.{table} by name select * from new_rows")

    def update(self, table: str, values: Mapping, where: Mapping) -> None:
        """Set columns of a table of schema ``ml`` where others have these values."""
        known = {name: value for name, value in where.items() if value is not None}
        conditions = [
            f"{name} = ?" if name in known else f"{name} is null" for name in where
        ]
        self.rows(
            f"update ml.{table} set {', '.join(f'{name} = ?' for name in values)} "
            f"where {' and '.join(conditions)}",
            [*values.values(), *known.values()],
        )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run a block in one transaction: all of it is kept, or nothing."""
        self.connection.begin()
        try:
            yield
        except BaseException:
            self.connection.rollback()
            raise
        self.connection.commit()


@contextmanager
def open_warehouse(
    path: Path | None = None,
    read_only: bool = False,
    must_be_built: bool = True,
    target: str = DUCKDB,
) -> Iterator[Warehouse]:
    """Open the warehouse and close it when the block ends.

    Parameters
    ----------
    path
        DuckDB file; by default :func:`ml.settings.warehouse_path`.
    read_only
        Open without the right to write, so that several readers may share the file.
    must_be_built
        Refuse a warehouse that lacks the tables that `ml` works with. Who looks for the
        reason why a first build stopped does without.
    target
        ``duckdb``, or ``spark`` for the tables of the metastore that ``profiles.yml``
        names; path and read_only say nothing there.

    Raises
    ------
    WarehouseError
        The file is missing, in use by another process, or was never built; or Spark
        is not installed.
    """
    if target == SPARK:
        from ml.spark.session import check_installed

        check_installed()
        # imports what only .venv-spark has
        from ml.spark.warehouse import open_spark_warehouse

        warehouse = open_spark_warehouse()
        if must_be_built:
            _check_is_built(warehouse, "the warehouse on Spark")
        yield warehouse
        return
    path = path or settings.warehouse_path()
    if not path.is_file():
        raise WarehouseError(
            f"{path} does not exist: run `dbt build` first (or set PONPARE_DB)."
        )
    try:
        connection = duckdb.connect(
            str(path),
            read_only=read_only,
            config={
                "memory_limit": settings.memory_limit(),
                "autoinstall_known_extensions": "false",
            },
        )
    except duckdb.IOException as error:
        reason = str(error).splitlines()[0]
        raise WarehouseError(
            f"{path} cannot be opened: {reason} If another process holds the file, "
            "wait until it ends."
        ) from error
    try:
        connection.execute("set enable_progress_bar = false")
        warehouse = Warehouse(connection)
        if must_be_built:
            _check_is_built(warehouse, str(path))
        yield warehouse
    finally:
        connection.close()


def _check_is_built(warehouse: Warehouse, place: str) -> None:
    expected = {
        *("training_pairs", "scoring_pairs", "column_roles", "build_fingerprint"),
        *("purchase_scores", "model_settings", "misses", "model_cards"),
        *("model_registry", "model_files", "model_challenges"),
    }
    lacking = sorted(expected - warehouse.table_names("ml"))
    if lacking:
        raise WarehouseError(
            f"{place} lacks ml.{', ml.'.join(lacking)}: run {warehouse.build} first."
        )
    if "level" not in warehouse.column_names("ml", "column_roles"):
        raise WarehouseError(
            f"{place} was built by an older version of the project: run "
            f"{warehouse.build}."
        )
