"""LightGBM as it comes, the mean of five seeds."""

from __future__ import annotations

import numpy as np

from ml.models.base import Predictor
from ml.models.trees import BinaryTrees
from ml.pairs import Features, TrainingSet

N_SEEDS = 5
#: Of the pairs this many are drawn for each seed.
MAX_ROWS = 500_000


class FrozenReference(Predictor):
    """LightGBM as it comes, to be fitted on the features of the first version.

    Binary objective, 100 rounds, every other parameter at LightGBM's default; a seed
    draws the negatives. Nothing about it is searched, and nothing may be changed. It
    recommends nothing, so it is neither saved nor gives reasons.

    Parameters
    ----------
    random_state
        The first of the seeds.
    """

    name = "lightgbm_reference"

    def __init__(self, random_state: int = 0) -> None:
        self.random_state = random_state
        self.members_: list[BinaryTrees] = []

    def fit(self, training: TrainingSet) -> FrozenReference:
        """Fit one set of trees per seed."""
        self.contract_ = training.features.contract
        self.members_ = [
            BinaryTrees(
                n_trees=100,
                learning_rate=0.1,
                num_leaves=31,
                min_leaf_rows=20,
                l2=0.0,
                feature_share=1.0,
                row_share=1.0,
                max_bin=255,
                cat_smooth=10.0,
                max_rows=MAX_ROWS,
                calibration_share=0.1,
                fit_probability=True,
                random_state=self.random_state + number,
            ).fit(training)
            for number in range(N_SEEDS)
        ]
        return self

    def predict(self, features: Features) -> np.ndarray:
        """Return the mean of the seeds' probabilities, float32, shape (n,)."""
        self.check_contract(features)
        return np.mean([member.predict(features) for member in self.members_], axis=0)

    def parameters(self) -> dict:
        """Return the first seed: nothing else may change."""
        return {"random_state": self.random_state}
