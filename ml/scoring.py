"""From a fitted model and its scores of a cutoff to what is published."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from ml import metrics
from ml.explain import explain
from ml.fitting import Fitted
from ml.grid import ScoredGrid
from ml.models import PurchaseModel
from ml.models.blend import Blend
from ml.pairs import Candidates
from ml.progress import peak_memory_mb, step
from ml.publish import Run
from ml.version import code_version
from ml.warehouse import SPARK, Warehouse

if TYPE_CHECKING:
    from ml.spark.scores import SparkScores


def run_name(cutoff: dt.date, started_at: dt.datetime, fingerprint: str) -> str:
    """Return the run_id of a run that scores a cutoff."""
    return f"{cutoff:%Y%m%d}-{started_at:%Y%m%dT%H%M%S}-{fingerprint[:8]}"


def scored_run(
    warehouse: Warehouse,
    fitted: Fitted,
    model: PurchaseModel,
    scores: ScoredGrid | SparkScores,
    started_at: dt.datetime,
) -> Run:
    """Return a run that publishes a model's scores of a cutoff, with reasons."""
    fingerprint = warehouse.data_fingerprint()
    shared = {
        "run_id": run_name(scores.candidates.cutoff, started_at, fingerprint),
        "data_fingerprint": fingerprint,
        "default_model": model.name,
        "candidates": scores.candidates,
        "coefficients": _coefficients(model),
    }
    if warehouse.engine == SPARK:
        from ml.spark.publish import run_on_spark

        return run_on_spark(warehouse, fitted, model, scores, shared)
    ranks = ranks_of(scores.scores[model.name])
    with step("writing reasons"):
        reasons = _reasons(warehouse, fitted, model, scores.candidates, ranks)
    return Run(**shared, scores=scores.scores[model.name], ranks=ranks, reasons=reasons)


def complete_rows(
    rows: list[dict],
    run: Run,
    fitted: Fitted,
    model_file: str,
    started_at: dt.datetime,
) -> list[dict]:
    """Add to the rows of ``ml.model_runs`` what they have in common.

    Weeks and pairs are those of the model that is published.
    """
    shared = {
        "run_id": run.run_id,
        "cutoff_date": run.candidates.cutoff,
        "evaluated_cutoff_date": run.evaluated_cutoff,
        "data_fingerprint": run.data_fingerprint,
        "code_version": code_version(),
        "first_training_cutoff": min(fitted.weeks),
        "last_training_cutoff": max(fitted.weeks),
        "peak_memory_mb": peak_memory_mb(),
        "started_at": started_at,
    }
    completed = []
    for row in rows:
        is_default = row["model_name"] == run.default_model
        completed.append(
            {
                **row,
                **shared,
                "is_default": is_default,
                "model_file": model_file if is_default else None,
            }
        )
    return completed


def published(run: Run) -> str:
    """Return the sentence on what a run has published."""
    n_users, n_coupons = run.candidates.shape
    return (
        f"published {n_users * n_coupons:,} scores of {run.default_model} for "
        f"{n_users:,} users x {n_coupons} coupons of the week from "
        f"{run.candidates.cutoff}: reporting.recommendations"
    )


def ranks_of(scores: np.ndarray) -> np.ndarray:
    """Return the place of each coupon in its user's list, 1 is best."""
    order = np.argsort(-scores, axis=1, kind="stable")
    ranks = np.empty(scores.shape, dtype=np.int32)
    places = np.arange(1, scores.shape[1] + 1, dtype=np.int32)
    np.put_along_axis(ranks, order, places[None, :], axis=1)
    return ranks


def _coefficients(model: PurchaseModel) -> list[tuple[str, str, str, float]]:
    """Return the numbers that a model shows, a blend's with those of its members."""
    members = model.members_.values() if isinstance(model, Blend) else ()
    return [
        (part.name, *row) for part in (model, *members) for row in part.coefficients()
    ]


def _reasons(
    warehouse: Warehouse,
    fitted: Fitted,
    model: PurchaseModel,
    candidates: Candidates,
    ranks: np.ndarray,
) -> pa.Table:
    """Return why each coupon of the top ten is there."""
    rows, columns = np.nonzero(ranks <= metrics.TOP_K)
    pairs = pa.table(
        {
            "user_id": candidates.user_ids[rows],
            "coupon_id": candidates.coupon_ids[columns],
        }
    )
    return explain(warehouse, fitted, model, candidates.cutoff, pairs)
