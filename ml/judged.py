"""Weeks that choices are made on, and the buyers of such a week in memory."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ml import metrics
from ml.models import PurchaseModel
from ml.pairs import (
    Candidates,
    FeatureContract,
    Features,
    read_candidates,
    read_labels,
    stream_candidates,
)
from ml.warehouse import Cutoff, Warehouse, WarehouseError

N_VALIDATION_WEEKS = 4
MIN_FITTING_WEEKS = 2


@dataclass(frozen=True)
class JudgedWeek:
    """Every candidate pair of the users who bought one in a week.

    Attributes
    ----------
    user_ids : ndarray of int32, shape (n_buyers,)
    features : Features
        Of n_buyers x n_coupons pairs, coupon by coupon of one user after the other.
    labels : ndarray of bool, shape (n_buyers, n_coupons)
    """

    cutoff: dt.date
    user_ids: np.ndarray
    features: Features
    labels: np.ndarray

    def predict(self, model: PurchaseModel) -> np.ndarray:
        """Return the model's scores, shape of the labels."""
        return model.predict_in_chunks(self.features).reshape(self.labels.shape)

    def average_precision(self, model: PurchaseModel) -> np.ndarray:
        """Return AP@10 of each buyer under the model's ranking."""
        return metrics.average_precision(
            metrics.top_k(self.predict(model)), self.labels
        )


def read_judged_week(
    warehouse: Warehouse, contract: FeatureContract, cutoff: dt.date
) -> JudgedWeek:
    """Read the pairs of a labelled week's buyers."""
    everyone = read_candidates(warehouse, cutoff)
    labels = read_labels(warehouse, everyone)
    rows = np.flatnonzero(labels.any(axis=1))
    buyers = Candidates(cutoff, everyone.user_ids[rows], everyone.coupon_ids)
    features = Features.empty(contract, buyers.n_pairs)
    for row, column, batch in stream_candidates(
        warehouse, contract, buyers, buyers.user_ids
    ):
        place = row * buyers.shape[1] + column
        features.values[place] = batch.values
        features.scores[place] = batch.scores
    return JudgedWeek(cutoff, buyers.user_ids, features, labels[rows])


def split_weeks(
    cutoffs: Sequence[Cutoff],
) -> tuple[list[dt.date], list[dt.date]]:
    """Split labelled selection weeks into those to fit on and the last, to judge on.

    None is left to judge on if there are too few; other weeks are never taken.
    """
    weeks = [c.date for c in cutoffs if c.is_labelled and c.is_selection]
    n_validation = min(N_VALIDATION_WEEKS, len(weeks) - MIN_FITTING_WEEKS)
    if n_validation < 1:
        return weeks, []
    return weeks[:-n_validation], weeks[-n_validation:]


def selection_weeks(
    cutoffs: Sequence[Cutoff],
) -> tuple[list[dt.date], list[dt.date]]:
    """Return the selection weeks to fit on and the last ones, to judge on.

    Raises
    ------
    WarehouseError
        There are too few of them.
    """
    fitting, judged = split_weeks(cutoffs)
    if not judged:
        raise WarehouseError(
            f"{len(fitting)} labelled weeks are there to choose on, at least "
            f"{MIN_FITTING_WEEKS + 1} are needed: bring more into use with "
            "`dbt build --vars '{n_cutoffs: 52}'`."
        )
    return fitting, judged
