"""One person's recommendations: from what was published, or from a loaded model."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ml import metrics
from ml.champion import champion
from ml.model_files import file_to_score
from ml.pairs import in_order_of_hashes, read_person
from ml.reasons import ReasonWriter
from ml.score import load_fitted
from ml.warehouse import Warehouse

SCORING, NEWCOMERS = "scoring_pairs", "newcomer_pairs"


@dataclass(frozen=True)
class Recommended:
    """A coupon in a list.

    Attributes
    ----------
    reasons
        As in ``reporting.recommendations``; None where none stands out.
    """

    rank: int
    coupon_hash: str
    score: float
    reasons: str | None


@dataclass(frozen=True)
class Answer:
    """A list of at most ten coupons, and where it comes from."""

    source: str
    recommended: list[Recommended]


@dataclass(frozen=True)
class Newcomer:
    """Somebody who is in no file yet, as ``features.feature_newcomers`` knows them.

    Attributes
    ----------
    user_id
        Key in that mart and in ``ml.newcomer_pairs``, below zero.
    """

    user_id: int
    age: int


def published(warehouse: Warehouse, user_id: int, cutoff: dt.date) -> Answer | None:
    """Return what was published for a user; None if nothing was for this week."""
    rows = warehouse.rows(
        "select list.rank, list.coupon_hash, list.score, list.reasons, "
        "list.model_name, list.run_id from reporting.recommendations as list "
        "inner join core.dim_users as users on list.user_hash = users.user_hash "
        "where list.cutoff_date = ? and users.user_id = ? order by list.rank",
        [cutoff, user_id],
    )
    if not rows:
        return None
    *_, model_name, run_id = rows[0]
    return Answer(
        f"reporting.recommendations, {model_name} of run {run_id}",
        [Recommended(*row[:4]) for row in rows],
    )


class LoadedModel:
    """The champion in memory, which ranks the candidates of one person at a time.

    Features are those of ``ml.scoring_pairs``, or of ``ml.newcomer_pairs`` for a person
    who is in no file yet; reasons are given as in training.
    """

    def __init__(self, warehouse: Warehouse, cutoff: dt.date) -> None:
        file = file_to_score(warehouse, champion(warehouse).recipe, cutoff)
        fitted = load_fitted(warehouse, file, cutoff)
        (self.model,) = fitted.in_order
        self.cutoff = cutoff
        self.run_id = file.run_id
        self.contract = fitted.contract
        self.coupon_ids = in_order_of_hashes(warehouse, "coupon", cutoff)
        self.reasons = ReasonWriter(
            self.model, warehouse.columns(SCORING), fitted.averages
        )

    def answer(self, warehouse: Warehouse, user_id: int, mart: str = SCORING) -> Answer:
        """Return the ten best coupons; none if the week has no candidates."""
        coupon_ids, features = read_person(
            warehouse, self.contract, mart, self.cutoff, user_id, self.coupon_ids
        )
        scores = self.model.predict(features)
        best = np.argsort(-scores, kind="stable")[: metrics.TOP_K]
        chosen = pa.table({"coupon_id": coupon_ids[best]})
        with warehouse.registered("chosen_coupons", chosen):
            hashes = dict(
                warehouse.rows(
                    "select coupon_id, coupon_hash from core.dim_coupons "
                    "where coupon_id in (select coupon_id from chosen_coupons)"
                )
            )
        reasons = self.reasons.write(features.take(best)).to_pylist()
        return Answer(
            f"the model {self.model.name} of run {self.run_id}",
            [
                Recommended(
                    rank, hashes[coupon_ids[place]], float(scores[place]), reason
                )
                for rank, (place, reason) in enumerate(
                    zip(best, reasons, strict=True), start=1
                )
            ],
        )


def nearest_newcomer(
    warehouse: Warehouse, cutoff: dt.date, sex: str, age: int, prefecture: str | None
) -> Newcomer | None:
    """Return the newcomer of this sex and prefecture who is nearest in age.

    Parameters
    ----------
    prefecture
        Its key, as in ``core.dim_users``; None for somebody who names none.
    """
    rows = warehouse.rows(
        "select user_id, user_age from features.feature_newcomers "
        "where cutoff_date = ? and user_sex = ? "
        "and case when is_prefecture_known then user_prefecture end "
        "is not distinct from cast(? as varchar) "
        "order by abs(user_age - ?), user_age, user_id limit 1",
        [cutoff, sex, prefecture, age],
    )
    return Newcomer(*rows[0]) if rows else None
