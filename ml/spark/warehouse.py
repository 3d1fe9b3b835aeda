"""The door to the warehouse on Spark: tables of a metastore that dbt-spark has built.

It answers as :class:`ml.warehouse.Warehouse` does. What is small comes to the driver
through Arrow; pairs stay with the workers (:mod:`ml.spark.scores`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

import pyarrow as pa
from pyspark.errors import AnalysisException
from pyspark.sql.functions import col, lit, when

from ml.spark.session import first_line, open_session
from ml.spark.sql import spark_sql
from ml.warehouse import SPARK, Warehouse, WarehouseError

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

#: A run is known once it stands here: what is written in a transaction is put in its
#: place in this order, other tables before.
LAST_TABLES = ("score_reasons", "purchase_scores", "model_runs")


class SparkWarehouse(Warehouse):
    """An open warehouse on Spark. Use :func:`ml.warehouse.open_warehouse` to get one.

    Parameters
    ----------
    session
        Of :func:`ml.spark.session.open_session`.
    """

    engine = SPARK
    build = (
        "`.venv-spark/bin/dbt build --target spark --exclude-resource-type unit_test`"
    )
    #: More than the competition has, so that there all users are evaluated: 30,000
    #: times 400 coupons are 48 MB a model.
    max_evaluated_users = 30_000

    def __init__(self, session: SparkSession) -> None:
        self.session = session
        #: Within a transaction, what tables will hold after it.
        self.pending: dict[str, DataFrame] | None = None
        #: Where the tables were when the transaction first looked at them.
        self.read_from: dict[str, str] = {}

    def frame(self, query: str, parameters: list | None = None) -> DataFrame:
        """Return the result of a query, which stays with the workers."""
        if any(isinstance(value, dt.datetime) for value in parameters or []):
            # pyspark would read it in the time zone of the machine
            raise TypeError("times are parameters as text, cast in the query")
        return self.session.sql(spark_sql(query), args=list(parameters or []))

    def rows(self, query: str, parameters: list | None = None) -> list[tuple]:
        """Return the rows of a small query."""
        return [tuple(row) for row in self.frame(query, parameters).collect()]

    def table(self, query: str, parameters: list | None = None) -> pa.Table:
        """Return the whole result of a query as an Arrow table."""
        return self.frame(query, parameters).toArrow()

    def stream(self, *_: object, **__: object) -> Iterator[pa.RecordBatch]:
        """Refuse: what is too large for one table stays with the workers."""
        raise TypeError("pairs never pass through Spark's driver: see ml.spark.scores")

    def column_names(self, schema: str, table: str) -> list[str]:
        """Return the columns of a table in their order; none if it is not there."""
        try:
            return self.session.table(f"`{schema}`.`{table}`").columns
        except AnalysisException:
            return []

    def table_names(self, schema: str) -> set[str]:
        """Return the tables and views of a schema; none if it is not there."""
        if not self.session.catalog.databaseExists(schema):
            return set()
        found = self.session.sql(f"show tables in `{schema}`").collect()
        return {row["tableName"] for row in found}

    def release_memory(self) -> None:
        """Give back what the workers keep of pairs that were scored."""
        self.session.catalog.clearCache()

    @contextmanager
    def registered(self, name: str, table: pa.Table) -> Iterator[None]:
        """Let queries of a block read an Arrow table under a name."""
        with self.viewed(name, self.session.createDataFrame(table)):
            yield

    @contextmanager
    def viewed(self, name: str, frame: DataFrame) -> Iterator[None]:
        """Let queries of a block read a frame under a name."""
        frame.createOrReplaceTempView(name)
        try:
            yield
        finally:
            self.session.catalog.dropTempView(name)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Let all that a block writes be seen at its end.

        Tables are written beside the old ones and put in their place one after the
        other, ``LAST_TABLES`` at the end; what is seen if that breaks off stands in
        docs/spark.md. Queries within the block see what was there before it.
        """
        self.pending, self.read_from = {}, {}
        try:
            yield
            replace_tables(self.session, self.pending, self.read_from)
        finally:
            self.pending = None

    def append(self, table: str, rows: pa.Table) -> None:
        """Add rows to a table of schema ``ml``; columns that they lack are null."""
        new = self._as_in(table, self.session.createDataFrame(rows))
        self.put(table, self._latest(table).unionByName(new).coalesce(1))

    def update(self, table: str, values: Mapping, where: Mapping) -> None:
        """Set columns of a table of schema ``ml`` where others have these values."""
        frame = self._latest(table)
        applies = lit(True)
        for name, value in where.items():
            applies &= col(name).eqNullSafe(_literal(value))
        for name, value in values.items():
            new = _literal(value).cast(frame.schema[name].dataType)
            frame = frame.withColumn(name, when(applies, new).otherwise(col(name)))
        self.put(table, frame)

    def put(self, table: str, frame: DataFrame) -> None:
        """Let a table of schema ``ml`` hold these rows after the transaction."""
        self._latest(table)
        self.pending[table] = self._as_in(table, frame)

    def _latest(self, table: str) -> DataFrame:
        """Return what a table holds within the transaction."""
        if self.pending is None:
            raise RuntimeError(f"ml.{table} is written outside a transaction")
        if table not in self.read_from:
            self.read_from[table] = location(self.session, table)
        return self.pending.get(table, self.session.table(f"ml.{table}"))

    def _as_in(self, table: str, frame: DataFrame) -> DataFrame:
        """Return rows with the columns and types of a table."""
        fields = self.session.table(f"ml.{table}").schema.fields
        unknown = set(frame.columns) - {field.name for field in fields}
        if unknown:
            raise WarehouseError(
                f"ml.{table} has no column {', '.join(sorted(unknown))}: it was built "
                "by another version of the project."
            )
        return frame.select(
            [
                (col(f.name) if f.name in frame.columns else lit(None))
                .cast(f.dataType)
                .alias(f.name)
                for f in fields
            ]
        )


def open_spark_warehouse() -> SparkWarehouse:
    """Return the door, after a look whether the metastore can be read.

    Raises
    ------
    WarehouseError
        Spark cannot start here, or its metastore cannot be read.
    """
    session = open_session()
    try:
        session.catalog.databaseExists("ml")
    except Exception as error:
        raise WarehouseError(
            f"the metastore of Spark cannot be read ({first_line(error)}): see "
            "docs/spark.md for where it is."
        ) from error
    return SparkWarehouse(session)


def replace_tables(
    session: SparkSession, contents: Mapping[str, DataFrame], old: Mapping[str, str]
) -> None:
    """Write tables of schema ``ml`` beside the old ones, then put them in their place.

    Each is put in its place by one change in the metastore; a process that dies before
    the first leaves all as it was, and files that no table names.

    Parameters
    ----------
    old
        Directories of the tables that the contents were made from.

    Raises
    ------
    WarehouseError
        Another process has put tables in their place meanwhile; nothing is changed.
    """
    ordered = sorted(
        contents, key=lambda t: LAST_TABLES.index(t) if t in LAST_TABLES else -1
    )
    new = {}
    try:
        for table in ordered:
            parent = old[table].rsplit("/", 1)[0]
            new[table] = f"{parent}/{table}-{uuid4().hex[:12]}"
            contents[table].write.parquet(new[table])
        check_unmoved(session, old)
    except BaseException:
        for path in new.values():
            _delete(session, path)
        # what was read may be gone for this reason
        check_unmoved(session, old)
        raise
    for table in ordered:
        session.sql(f"alter table ml.{table} set location '{new[table]}'")
    for table in ordered:
        session.catalog.refreshTable(f"ml.{table}")
        _delete(session, old[table])


def check_unmoved(session: SparkSession, places: Mapping[str, str]) -> None:
    """Raise WarehouseError if tables of schema ``ml`` are not in these places now."""
    for table, place in places.items():
        session.catalog.refreshTable(f"ml.{table}")
        if location(session, table) != place:
            raise WarehouseError(
                f"ml.{table} was written by another run while this one was going on; "
                "nothing was written. Run the command again."
            )


def location(session: SparkSession, table: str) -> str:
    """Return the directory with the files of a table of schema ``ml``."""
    described = session.sql(f"describe table extended ml.{table}").collect()
    (found,) = (row["data_type"] for row in described if row["col_name"] == "Location")
    return found.rstrip("/")


def _delete(session: SparkSession, path: str) -> None:
    java = session.sparkContext._jvm
    there = java.org.apache.hadoop.fs.Path(path)
    configuration = session.sparkContext._jsc.hadoopConfiguration()
    there.getFileSystem(configuration).delete(there, True)


def _literal(value: object) -> Column:
    """Return a value as a column; times as text, which has no time zone."""
    return lit(value.isoformat() if isinstance(value, dt.datetime) else value)
