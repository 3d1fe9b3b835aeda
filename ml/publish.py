"""Write a run's scores, metrics and records to the warehouse in one transaction."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from ml.evaluate import Metric
from ml.pairs import Candidates
from ml.warehouse import Warehouse

#: Ranks that are kept of cutoffs other than the latest scored one.
KEPT_RANKS = 50


@dataclass
class Run:
    """Everything that one run of ``ml.train`` writes.

    Attributes
    ----------
    scores : ndarray of float32, shape (n_users, n_coupons)
        Probabilities of the default model for the scored cutoff; None where they are
        not in memory (:class:`ml.spark.publish.SparkRun`).
    ranks : ndarray of int32, same shape
        1 is best.
    reasons
        Columns user_id, coupon_id, reasons of the top ten pairs.
    model_rows
        Rows of ``ml.model_runs`` as dictionaries.
    misses
        What :mod:`ml.misses` found in the evaluated week; None if there was none.
    card
        Rows of ``ml.model_cards`` as dictionaries.
    """

    run_id: str
    data_fingerprint: str
    default_model: str
    candidates: Candidates
    scores: np.ndarray | None = None
    ranks: np.ndarray | None = None
    reasons: pa.Table = field(default_factory=lambda: pa.table({}))
    model_rows: list[dict] = field(default_factory=list)
    evaluated_cutoff: dt.date | None = None
    metrics: list[Metric] = field(default_factory=list)
    coefficients: list[tuple[str, str, str, float]] = field(default_factory=list)
    misses: pa.Table | None = None
    card: list[dict] = field(default_factory=list)

    def replace_scores(self, warehouse: Warehouse, published_at: dt.datetime) -> None:
        """Put the scores in the place of those of the same cutoff."""
        _replace_scores(warehouse, self, published_at)

    def replace_reasons(self, warehouse: Warehouse) -> None:
        """Put the reasons in the place of those of the same cutoff."""
        _replace_reasons(warehouse, self)


def publish(
    warehouse: Warehouse,
    run: Run,
    also: Callable[[Warehouse, dt.datetime], None] = lambda *_: None,
) -> None:
    """Replace the scored cutoff and add the run's records, all or nothing.

    Parameters
    ----------
    also
        What else is written in the same transaction; it is told the time.

    Raises
    ------
    WarehouseError
        The marts were rebuilt from other data while the run was going on.
    """
    warehouse.check_same_data(
        run.data_fingerprint,
        "nothing was written. Run `python -m ml.train` again.",
    )
    published_at = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    with warehouse.transaction():
        run.replace_scores(warehouse, published_at)
        run.replace_reasons(warehouse)
        _add_misses(warehouse, run)
        insert_rows(warehouse, "model_cards", run.card)
        insert_rows(
            warehouse,
            "model_runs",
            [{**row, "finished_at": published_at} for row in run.model_rows],
        )
        insert_rows(
            warehouse,
            "model_metrics",
            metric_rows(run.run_id, run.evaluated_cutoff, run.metrics),
        )
        insert_rows(
            warehouse,
            "model_coefficients",
            [
                {
                    "run_id": run.run_id,
                    "model_name": model_name,
                    "input": source,
                    "genre": genre,
                    "coefficient": value,
                }
                for model_name, source, genre, value in run.coefficients
            ],
        )
        also(warehouse, published_at)


def _replace_scores(warehouse: Warehouse, run: Run, published_at: dt.datetime) -> None:
    cutoff = run.candidates.cutoff
    for table in ("purchase_scores", "score_reasons"):
        # what was scored on other files is never shown again
        warehouse.rows(
            f"delete from ml.{table} where run_id not in (select run_id "
            "from ml.model_runs where data_fingerprint = ?)",
            [run.data_fingerprint],
        )
    ((latest,),) = warehouse.rows(
        "select max(cutoff_date) from ml.purchase_scores where cutoff_date != ?",
        [cutoff],
    )
    n_users, n_coupons = run.candidates.shape
    is_kept = np.ones(run.ranks.shape, dtype=bool)
    if latest is not None and latest > cutoff:
        is_kept = run.ranks <= KEPT_RANKS
    kept = is_kept.ravel()
    new_scores = pa.table(
        {
            "user_id": np.repeat(run.candidates.user_ids, n_coupons)[kept],
            "coupon_id": np.tile(run.candidates.coupon_ids, n_users)[kept],
            "score": run.scores.ravel()[kept].astype(np.float64),
            "rank": run.ranks.ravel()[kept],
        }
    )
    warehouse.rows("delete from ml.purchase_scores where cutoff_date = ?", [cutoff])
    with warehouse.registered("new_scores", new_scores):
        warehouse.rows(
            "insert into ml.purchase_scores by name select ? as cutoff_date, "
            "user_hash, coupon_hash, score, rank, ? as model_name, ? as run_id, "
            "? as scored_at from new_scores "
            "inner join core.dim_users using (user_id) "
            "inner join core.dim_coupons using (coupon_id)",
            [cutoff, run.default_model, run.run_id, published_at],
        )
    warehouse.rows(
        "delete from ml.purchase_scores where rank > ? and cutoff_date < "
        "(select max(cutoff_date) from ml.purchase_scores)",
        [KEPT_RANKS],
    )


def _replace_reasons(warehouse: Warehouse, run: Run) -> None:
    cutoff = run.candidates.cutoff
    warehouse.rows("delete from ml.score_reasons where cutoff_date = ?", [cutoff])
    with warehouse.registered("new_reasons", run.reasons):
        warehouse.rows(
            "insert into ml.score_reasons by name select ? as cutoff_date, user_hash, "
            "coupon_hash, ? as run_id, reasons from new_reasons "
            "inner join core.dim_users using (user_id) "
            "inner join core.dim_coupons using (coupon_id)",
            [cutoff, run.run_id],
        )


def _add_misses(warehouse: Warehouse, run: Run) -> None:
    if run.misses is None:
        return
    with warehouse.registered("new_misses", run.misses):
        rows = warehouse.table(
            "select ? as run_id, ? as cutoff_date, user_hash, coupon_hash, kind, rank, "
            "score, reasons, lacking_reasons from new_misses "
            "inner join core.dim_users using (user_id) "
            "inner join core.dim_coupons using (coupon_id)",
            [run.run_id, run.evaluated_cutoff],
        )
    warehouse.append("misses", rows)


def metric_rows(
    run_id: str, cutoff: dt.date | None, measured: Sequence[Metric]
) -> list[dict]:
    """Return rows of ``ml.model_metrics``."""
    return [
        {
            "run_id": run_id,
            "cutoff_date": cutoff,
            "model_name": metric.model_name,
            "metric": metric.metric,
            "slice": metric.slice,
            "value": _finite(metric.value),
            "low": _finite(metric.low),
            "high": _finite(metric.high),
        }
        for metric in measured
    ]


def insert_rows(warehouse: Warehouse, table: str, rows: Sequence[dict]) -> None:
    """Add rows, given as dictionaries, to a table of schema ``ml``."""
    if rows:
        warehouse.append(table, pa.Table.from_pylist(list(rows)))


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
