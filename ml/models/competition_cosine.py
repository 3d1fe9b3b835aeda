"""The cosine script that the competition's entrants shared, as it was."""

from __future__ import annotations

import numpy as np

from ml.models.single_feature import SingleFeatureModel
from ml.pairs import Features


class CompetitionCosine(SingleFeatureModel):
    """Ranks coupons as the competition's public "modified cosine" script did.

    The mart's score (``competition_cosine``) is no feature: no other model sees it, so
    that it stays a yardstick. It therefore explains nothing in terms of features.
    """

    name = "competition_cosine"
    feature = "competition_cosine"

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Return the logarithm of one plus the score, a sum over the whole history."""
        return np.log1p(values)

    def contributions(self, features: Features) -> np.ndarray:
        """Return zeros: what the model ranks by is no feature."""
        self.check_contract(features)
        return np.zeros((len(features), len(self.contract_.names)), np.float32)

    def _values(self, features: Features) -> np.ndarray:
        return self.transform(features.score(self.feature))
