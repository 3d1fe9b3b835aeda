"""Score the pairs of a cutoff on Spark's workers, and rank and explain them there.

The driver gets counts, the scores of the users who are evaluated, and nothing else of
the pairs; no feature of ``ml.scoring_pairs`` passes through it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql.functions import (
    col,
    count,
    count_distinct,
    count_if,
    isnan,
    isnull,
    lit,
)

from ml.explain import KEYS
from ml.grid import ScoredGrid
from ml.models import PurchaseModel
from ml.pairs import Candidates, FeatureContract, places_of
from ml.registry import model_text
from ml.spark.queries import RANKED_PAIRS
from ml.spark.workers import Explainer, Scorer

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from ml.fitting import Fitted
    from ml.spark.warehouse import SparkWarehouse

KEYS_DDL = "user_id int, coupon_id int"
#: The condition that a pair is of one of some users.
IS_CHOSEN = "user_id in (select id from chosen_users)"


@dataclass(frozen=True)
class SparkScores:
    """Probabilities of every candidate pair of one cutoff, kept by Spark's workers.

    Attributes
    ----------
    candidates
        Of all users, or of the sample alone if the others were not scored.
    pairs
        Columns user_id, coupon_id and one of floats for each model.
    predict_seconds
        By model, the sum over the workers.
    sample
        See :class:`ml.grid.ScoredGrid`.
    """

    warehouse: SparkWarehouse
    candidates: Candidates
    pairs: DataFrame
    predict_seconds: dict[str, float]
    sample: np.ndarray | None

    def evaluated(self) -> ScoredGrid:
        """Return the scores of the users who are evaluated, from the workers."""
        candidates, condition = self.candidates, "true"
        if self.sample is not None:
            candidates, condition = drawn(candidates, self.sample), IS_CHOSEN
        users = pa.table({"id": candidates.user_ids})
        with (
            self.warehouse.viewed("scored_pairs", self.pairs),
            self.warehouse.registered("chosen_users", users),
        ):
            found = self.warehouse.table(
                f"select * from scored_pairs where {condition}"
            )
        rows = places_of(candidates.user_ids, found["user_id"].to_numpy())
        columns = places_of(candidates.coupon_ids, found["coupon_id"].to_numpy())
        scores = {}
        for name in self.predict_seconds:
            scores[name] = np.empty(candidates.shape, np.float32)
            scores[name][rows, columns] = found[name].to_numpy()
        return ScoredGrid(
            candidates,
            scores,
            self.predict_seconds,
            self.sample,
            n_timed=self.candidates.n_pairs,
        )

    def ranked(self, model_name: str) -> DataFrame:
        """Return the pairs with hashes, score and rank, kept by the workers."""
        score = col(model_name).alias("score")
        with self.warehouse.viewed("scored_pairs", self.pairs.select(*KEYS, score)):
            return kept(self.warehouse.frame(RANKED_PAIRS))


def score_pairs(
    warehouse: SparkWarehouse,
    contract: FeatureContract,
    candidates: Candidates,
    models: Sequence[PurchaseModel],
    sample: np.ndarray | None = None,
    only_sample: bool = False,
) -> SparkScores:
    """Score all pairs of a cutoff.

    Parameters
    ----------
    sample
        Users who are evaluated; None for all.
    only_sample
        Whether the others are not scored at all.

    Raises
    ------
    RuntimeError
        The mart does not hold every pair of the grid exactly once.
    """
    context = warehouse.session.sparkContext
    scorer = Scorer(
        context.broadcast(tuple(model_text(model) for model in models)),
        {model.name: context.accumulator(0.0) for model in models},
    )
    condition = "true"
    if sample is not None and only_sample:
        candidates, condition = drawn(candidates, sample), IS_CHOSEN
    with warehouse.registered("chosen_users", pa.table({"id": candidates.user_ids})):
        features = pair_features(warehouse, contract, candidates.cutoff, condition)
    scores_ddl = ", ".join(f"{model.name} float" for model in models)
    pairs = kept(spread(features).mapInArrow(scorer, f"{KEYS_DDL}, {scores_ddl}"))
    is_unscored = lit(False)
    for model in models:
        is_unscored |= isnan(model.name) | isnull(model.name)
    n_pairs, n_different, n_unscored = pairs.agg(
        count("*"), count_distinct(*KEYS), count_if(is_unscored)
    ).first()
    expected = candidates.n_pairs
    if not n_pairs == n_different == expected or n_unscored:
        raise RuntimeError(
            f"ml.scoring_pairs holds {n_pairs:,} pairs of {candidates.cutoff}, "
            f"{n_different:,} different ones, {n_unscored:,} without a score, "
            f"expected {expected:,}: a feature mart has lost or doubled keys."
        )
    seconds = {name: spent.value for name, spent in scorer.seconds.items()}
    return SparkScores(warehouse, candidates, pairs, seconds, sample)


def explain_pairs(
    warehouse: SparkWarehouse,
    fitted: Fitted,
    model: PurchaseModel,
    cutoff: dt.date,
    pairs: DataFrame,
    with_lacking: bool = False,
) -> DataFrame:
    """Return user_id, coupon_id, reasons and, if asked for, lacking_reasons.

    Parameters
    ----------
    pairs
        Columns user_id, coupon_id.
    """
    context = warehouse.session.sparkContext
    explainer = Explainer(
        context.broadcast((model_text(model, fitted.averages),)),
        warehouse.columns("scoring_pairs"),
        with_lacking,
    )
    with warehouse.viewed("chosen_pairs", pairs):
        features = pair_features(
            warehouse,
            fitted.contract,
            cutoff,
            "(user_id, coupon_id) in (select user_id, coupon_id from chosen_pairs)",
        )
    texts_ddl = "reasons string" + (", lacking_reasons string" if with_lacking else "")
    return spread(features).mapInArrow(explainer, f"{KEYS_DDL}, {texts_ddl}")


def pair_features(
    warehouse: SparkWarehouse,
    contract: FeatureContract,
    cutoff: dt.date,
    condition: str,
) -> DataFrame:
    """Return candidate pairs of a cutoff with what models read of them.

    Parameters
    ----------
    condition
        Which pairs. Spark takes it down to the users and coupons before it joins the
        features; a semi join it would do last, on the whole grid.
    """
    columns = ", ".join(f'"{name}"' for name in contract.columns)
    return warehouse.frame(
        f"select user_id, coupon_id, {columns} from ml.scoring_pairs "
        f"where cutoff_date = ? and {condition}",
        [cutoff],
    )


def drawn(candidates: Candidates, sample: np.ndarray) -> Candidates:
    """Return the candidates who are in a sample."""
    users = candidates.user_ids[np.isin(candidates.user_ids, sample)]
    return Candidates(candidates.cutoff, users, candidates.coupon_ids)


def spread(pairs: DataFrame) -> DataFrame:
    """Return pairs in as many parts as the profile names, those of a user in one.

    The join may leave them all in one part, which one worker alone would score.
    """
    n_parts = pairs.sparkSession.conf.get("spark.sql.shuffle.partitions")
    return pairs.repartition(int(n_parts), "user_id")


def kept(frame: DataFrame) -> DataFrame:
    """Return a frame that is computed once, and kept on the disks of the workers."""
    return frame.persist(StorageLevel.DISK_ONLY)
