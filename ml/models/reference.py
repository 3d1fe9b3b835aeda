"""The frozen reference: a yardstick that does not move when the project gets better."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ml.models.base import PurchaseModel
from ml.models.trees import BinaryTrees
from ml.pairs import FeatureContract, Features, TrainingSet

#: Features of the project's first working version; those that were renamed since stand
#: here under the name of what took their place.
FEATURES = (
    *("user_sex", "user_age", "is_prefecture_known", "user_tenure_days"),
    *("is_withdrawn", "n_user_purchases", "n_user_purchases_28d", "user_spend_yen"),
    *("user_mean_price_yen", "days_since_last_purchase", "genre", "capsule"),
    *("large_area", "catalog_price_yen", "discount_price_yen", "saving_yen"),
    *("discount_share", "sale_hours_in_week", "release_day_of_week", "display_days"),
    *("valid_days", "days_until_valid", "usable_on_saturday", "usable_on_sunday"),
    *("usable_on_holiday", "n_usable_days", "n_conditional_days", "n_shop_issues"),
    *("n_shop_issues_on_sale", "days_since_last_shop_issue", "shop_buyers_per_issue"),
    *("genre_buyers_per_day", "coupon_buyers_per_day", "expected_buyers"),
    *("is_same_prefecture", "is_listed_in_prefecture", "distance_km"),
    *("genre_purchase_rate", "prefecture_purchase_rate", "small_area_purchase_rate"),
    *("n_shop_purchases", "price_to_user_mean_ratio", "profile_cosine"),
)
N_SEEDS = 5
#: Of the pairs this many are drawn for each seed.
MAX_ROWS = 500_000


class FrozenReference(PurchaseModel):
    """LightGBM as it comes, on the first version's features, the mean of five seeds.

    Binary objective, 100 rounds, every other parameter at LightGBM's default; a seed
    draws the negatives. Nothing about it is searched, and nothing may be changed.

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
        training = replace(training, features=self._features(training.features))
        self.members_ = [member.fit(training) for member in self._unfitted()]
        return self

    def predict(self, features: Features) -> np.ndarray:
        """Return the mean of the seeds' probabilities, float32, shape (n,)."""
        self.check_contract(features)
        chosen = self._features(features)
        return np.mean([m.predict(chosen) for m in self.members_], axis=0)

    def contributions(self, features: Features) -> np.ndarray:
        """Return the mean contributions of the seeds."""
        self.check_contract(features)
        chosen = self._features(features)
        names = self.contract_.names
        shares = np.zeros((len(features), len(names)), dtype=np.float32)
        positions = [names.index(name) for name in chosen.contract.names]
        for member in self.members_:
            shares[:, positions] += member.contributions(chosen) / N_SEEDS
        return shares

    def parameters(self) -> dict:
        """Return the first seed: nothing else may change."""
        return {"random_state": self.random_state}

    def state(self) -> dict:
        """Return the trees of every seed."""
        return {
            "contract": self.contract_.to_dict(),
            "members": [member.state() for member in self.members_],
        }

    def restore(self, state: dict) -> FrozenReference:
        """Take over a saved state."""
        self.contract_ = FeatureContract.from_dict(state["contract"])
        self.members_ = [
            member.restore(saved)
            for member, saved in zip(self._unfitted(), state["members"], strict=True)
        ]
        return self

    def _unfitted(self) -> list[BinaryTrees]:
        return [
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
            )
            for number in range(N_SEEDS)
        ]

    def _features(self, features: Features) -> Features:
        """Return the features of the first version, those that the marts still hold."""
        whole = features.contract
        contract = FeatureContract(
            numeric=tuple(name for name in whole.numeric if name in FEATURES),
            categories={
                name: values
                for name, values in whole.categories.items()
                if name in FEATURES
            },
            groups={n: g for n, g in whole.groups.items() if n in FEATURES},
        )
        columns = [whole.names.index(name) for name in contract.names]
        return Features(contract, features.values[:, columns])
