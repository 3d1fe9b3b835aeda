"""Popularity: the same list for everyone."""

from __future__ import annotations

import numpy as np

from ml.models.single_feature import SingleFeatureModel


class Popularity(SingleFeatureModel):
    """Ranks coupons by the buyers expected from earlier issues and hours on sale.

    The yardstick that any personal model must beat.
    """

    name = "popularity"
    feature = "expected_buyers"

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Return the logarithm of the expected buyers."""
        return np.log(np.maximum(values, 0) + 0.01)
