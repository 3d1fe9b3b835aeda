"""Steps of tests/python/test_spark.py that need Spark, run by .venv-spark."""

from __future__ import annotations

import os
import sys

from small_models import SMALL
from warehouses import write_settings

from ml.publish import insert_rows
from ml.spark import warehouse as door
from ml.train import train
from ml.warehouse import WarehouseError, open_warehouse

#: Tables that a run writes, as the test reads them.
WRITTEN = (
    *("purchase_scores", "score_reasons", "model_runs", "model_metrics", "misses"),
    *("model_cards", "model_coefficients", "model_files", "model_registry"),
)


def settings() -> None:
    """Write down settings for small models, as a search does."""
    with open_warehouse(target="spark") as warehouse:
        write_settings(warehouse, SMALL)


def export(directory: str) -> None:
    """Write as Parquet what training has written, and what is shown of it."""
    with open_warehouse(target="spark") as warehouse:
        for name in (
            *(f"ml.{table}" for table in WRITTEN),
            "reporting.recommendations",
        ):
            frame = warehouse.session.table(name)
            frame.write.mode("overwrite").parquet(f"{directory}/{name}")


def collect_pairs(cutoff: str) -> None:
    """Bring the pairs of a cutoff to the driver, which training must never do."""
    with open_warehouse(target="spark") as warehouse:
        query = "select * from ml.scoring_pairs where cutoff_date = cast(? as date)"
        print(len(warehouse.table(query, [cutoff])), "pairs have come")


def die(table: str) -> None:
    """Train, and die before a table is put in its place."""

    class Dying:
        """The session, which ends the process at one statement."""

        def __init__(self, session) -> None:
            self.session = session

        def __getattr__(self, name: str):
            return getattr(self.session, name)

        def sql(self, statement: str, *arguments, **named):
            if statement.startswith(f"alter table ml.{table} set location"):
                os._exit(9)
            return self.session.sql(statement, *arguments, **named)

    replace_tables = door.replace_tables
    door.replace_tables = lambda session, contents, old: replace_tables(
        Dying(session), contents, old
    )
    train(target="spark")


def overtake() -> None:
    """Let one transaction end while another is going on, on the same table."""

    def card(position: int) -> dict:
        return {"run_id": "two", "position": position, "section": "s", "item": "i"}

    with open_warehouse(target="spark") as slow, open_warehouse(target="spark") as fast:
        try:
            with slow.transaction():
                insert_rows(slow, "model_cards", [card(1)])
                with fast.transaction():
                    insert_rows(fast, "model_cards", [card(2)])
        except WarehouseError as error:
            print(error)
        query = "select position from ml.model_cards where run_id = 'two'"
        print("left:", slow.rows(query))
        with slow.transaction():
            slow.update("model_cards", {"run_id": "one"}, where={"run_id": "two"})
        print("left:", slow.rows(query))


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
