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
    """Names what raised a pair's score most.

    A feature has words in the mart's YAML (``meta.reason``) and the side on which they
    are true (``meta.reason_when``: ``high`` or ``low``, against ``meta.reason_limit``
    or, without one, the average training pair); they may need another feature to be
    known (``meta.reason_needs``) and at most so great (``meta.reason_needs_at_most``).
    Words are used only if they are true of the pair and raised its score. Features with
    the same words count together.

    Parameters
    ----------
    averages : ndarray, shape (number of numeric features,)
        Average of each numeric feature over the training pairs, nulls left out.
    """

    def __init__(
        self, model: PurchaseModel, columns: Sequence[Column], averages: np.ndarray
    ) -> None:
        self.model = model
        self.numeric = model.contract_.numeric
        by_name = {column.name: column for column in columns}
        self.spoken = [
            by_name[name]
            for name in self.numeric
            if name in by_name and by_name[name].reason
        ]
        average = dict(zip(self.numeric, averages, strict=True))
        self.limits = {
            column.name: average[column.name]
            if column.reason_limit is None
            else column.reason_limit
            for column in self.spoken
        }
        self.texts = list(dict.fromkeys(column.reason for column in self.spoken))

    def write(self, features: Features) -> pa.Array:
        """Return one text per pair; null where no reason stands out."""
        contributions = self.model.contributions(features)
        raised = np.zeros((len(features), len(self.texts)), dtype=np.float32)
        for column in self.spoken:
            by = contributions[:, self.numeric.index(column.name)]
            raised[:, self.texts.index(column.reason)] += np.where(
                self._is_true(column, features), by, 0.0
            )
        return self._texts_of_greatest(raised)

    def write_lacking(self, features: Features) -> pa.Array:
        """Return reasons that are not true of a pair and lowered its score most.

        A feature whose value is unknown is not named; null where nothing stands out.
        """
        contributions = self.model.contributions(features)
        lowered = np.zeros((len(features), len(self.texts)), dtype=np.float32)
        is_true = np.zeros(lowered.shape, dtype=bool)
        for column in self.spoken:
            by = contributions[:, self.numeric.index(column.name)]
            place = self.texts.index(column.reason)
            is_known = ~np.isnan(features.column(column.name))
            holds = self._is_true(column, features)
            lowered[:, place] += np.where(is_known & ~holds, -by, 0.0)
            is_true[:, place] |= holds
        return self._texts_of_greatest(np.where(is_true, 0.0, lowered))

    def _is_true(self, column: Column, features: Features) -> np.ndarray:
        """Return whether a feature's words are true of each pair, bool, shape (n,)."""
        values = features.column(column.name)
        limit = self.limits[column.name]
        is_true = values < limit if column.reason_when == "low" else values > limit
        if column.reason_needs:
            needed = features.column(column.reason_needs)
            at_most = column.reason_needs_at_most
            is_true &= ~np.isnan(needed) if at_most is None else needed <= at_most
        return is_true

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
