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
        return self._texts_of_greatest(np.where(self._is_true(features), raised, 0.0))

    def write_lacking(self, features: Features) -> pa.Array:
        """Return reasons that are not true of a pair and lowered its score most.

        A feature whose value is unknown is not named; null where nothing stands out.
        """
        lowered = -self.model.contributions(features)[:, self.positions]
        is_known = ~np.isnan(features.numeric[:, self.positions])
        is_lacking = is_known & ~self._is_true(features)
        return self._texts_of_greatest(np.where(is_lacking, lowered, 0.0))

    def _is_true(self, features: Features) -> np.ndarray:
        """Return whether each feature's words are true, bool, shape (n, features)."""
        values = features.numeric[:, self.positions]
        with np.errstate(invalid="ignore"):
            return np.where(self.is_low, values < self.limits, values > self.limits)

    def _texts_of_greatest(self, strength: np.ndarray) -> pa.Array:
        """Return the words of the greatest positive strengths of each pair."""
        order = np.argsort(-strength, axis=1, kind="stable")[:, :N_REASONS]
        greatest = np.take_along_axis(strength, order, axis=1)
        return pa.array(
            [
                "; ".join(
                    self.texts[place]
                    for place, by in zip(places, by_place, strict=True)
                    if by > 0
                )
                or None
                for places, by_place in zip(
                    order.tolist(), greatest.tolist(), strict=True
                )
            ],
            pa.string(),
        )
