"""Publish on Spark: the workers write the scores and reasons that they computed."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ml.progress import step
from ml.publish import Run
from ml.spark.queries import NEW_REASONS, NEW_SCORES, TOP_PAIRS
from ml.spark.scores import explain_pairs, kept

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from ml.fitting import Fitted
    from ml.models import PurchaseModel
    from ml.spark.scores import SparkScores
    from ml.spark.warehouse import SparkWarehouse


@dataclass
class SparkRun(Run):
    """A run whose scores are with the workers.

    Attributes
    ----------
    ranked
        What :data:`ml.spark.queries.RANKED_PAIRS` returns.
    explained
        Columns user_id, coupon_id, reasons of the top ten pairs.
    """

    ranked: DataFrame | None = None
    explained: DataFrame | None = None

    def replace_scores(
        self, warehouse: SparkWarehouse, published_at: dt.datetime
    ) -> None:
        """Let ml.purchase_scores hold the scores, and what is kept of others."""
        cutoff = self.candidates.cutoff
        parameters = [
            *(cutoff, self.default_model, self.run_id, published_at.isoformat()),
            *(self.data_fingerprint, cutoff),
        ]
        with warehouse.viewed("ranked_pairs", self.ranked):
            warehouse.put("purchase_scores", warehouse.frame(NEW_SCORES, parameters))

    def replace_reasons(self, warehouse: SparkWarehouse) -> None:
        """Let ml.score_reasons hold the reasons, and what is kept of others."""
        cutoff = self.candidates.cutoff
        parameters = [cutoff, self.run_id, self.data_fingerprint, cutoff]
        with warehouse.viewed("explained_pairs", self.explained):
            warehouse.put("score_reasons", warehouse.frame(NEW_REASONS, parameters))


def run_on_spark(
    warehouse: SparkWarehouse,
    fitted: Fitted,
    model: PurchaseModel,
    scores: SparkScores,
    shared: dict,
) -> SparkRun:
    """Return a run that publishes a model's scores of a cutoff, with reasons.

    Parameters
    ----------
    shared
        What a run holds on every engine.
    """
    with step("ranking"):
        ranked = scores.ranked(model.name)
        ranked.count()
    with step("writing reasons"), warehouse.viewed("ranked_pairs", ranked):
        top = warehouse.frame(TOP_PAIRS)
        explained = kept(
            explain_pairs(warehouse, fitted, model, scores.candidates.cutoff, top)
        )
        explained.count()
    return SparkRun(**shared, ranked=ranked, explained=explained)
