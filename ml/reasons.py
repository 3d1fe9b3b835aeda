"""Say in words why a coupon was recommended, from what the ranking model computed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from ml.models import PurchaseModel
from ml.pairs import Features
from ml.warehouse import Column

N_REASONS = 3


class ReasonWriter:
    """Names the features that raised a pair's score most.

    A feature has words in the mart's YAML (``meta.reason``) and the side on which they
    are true (``meta.reason_when``: ``high`` or ``low``, against ``meta.reason_limit``
    or, without one, the average training pair). It is named only if it raised the score
    and its words are true of the pair.

    Parameters
    ----------
    averages : ndarray, shape (number of numeric features,)
        Average of each numeric feature over the training pairs, nulls left out.
    """

    def __init__(
        self, model: PurchaseModel, columns: Sequence[Column], averages: np.ndarray
    ) -> None:
        self.model = model
        contract = model.contract_
        spoken = {
            column.name: column
            for column in columns
            if column.role == "feature" and column.reason
        }
        self.names = [name for name in contract.numeric if name in spoken]
        self.texts = [spoken[name].reason for name in self.names]
        self.positions = np.array(
            [contract.numeric.index(name) for name in self.names], dtype=np.intp
        )
        self.is_low = np.array(
            [spoken[name].reason_when == "low" for name in self.names], dtype=bool
        )
        given = [spoken[name].reason_limit for name in self.names]
        self.limits = np.array(
            [
                average if limit is None else limit
                for limit, average in zip(given, averages[self.positions], strict=True)
            ]
        )

    def write(self, features: Features) -> pa.Array:
        """Return one text per pair; null where no reason stands out."""
        raised = self.model.contributions(features)[:, self.positions]
        values = features.numeric[:, self.positions]
        with np.errstate(invalid="ignore"):
            is_true = np.where(self.is_low, values < self.limits, values > self.limits)
        raised = np.where(is_true & (raised > 0), raised, 0.0)
        order = np.argsort(-raised, axis=1, kind="stable")[:, :N_REASONS]
        strength = np.take_along_axis(raised, order, axis=1)
        return pa.array(
            [
                "; ".join(
                    self.texts[place]
                    for place, by in zip(places, by_place, strict=True)
                    if by > 0
                )
                or None
                for places, by_place in zip(
                    order.tolist(), strength.tolist(), strict=True
                )
            ],
            pa.string(),
        )
