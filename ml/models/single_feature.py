"""What popularity and cosine similarity share: one feature, calibrated."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression

from ml.models.base import MIN_SLOPE, PurchaseModel, sigmoid
from ml.pairs import FeatureContract, Features, TrainingSet


class SingleFeatureModel(PurchaseModel):
    """Ranks by one feature of the mart; a logistic curve makes it a probability."""

    #: Numeric feature by which the model ranks.
    feature: str

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Bring the feature to a scale on which log-odds are about linear."""
        return values

    def fit(self, training: TrainingSet) -> SingleFeatureModel:
        """Fit intercept and slope of the logistic curve on weighted pairs."""
        self.contract_ = training.features.contract
        values = self._values(training.features).astype(np.float64)
        self.slope_ = 0.0
        # no curve goes through a single value
        if np.ptp(values) > 0:
            # purchases are so rare that the default tolerance would stop at the start
            curve = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-8)
            curve.fit(values[:, None], training.label, sample_weight=training.weight)
            self.slope_ = float(curve.coef_[0, 0])
            self.intercept_ = float(curve.intercept_[0])
        if self.slope_ < MIN_SLOPE:
            # a ranking by the feature must stay one, whatever the sample says
            bought = float(np.average(training.label, weights=training.weight))
            self.slope_ = MIN_SLOPE
            self.intercept_ = float(np.log(bought / (1 - bought)))
        self.center_ = float(np.average(values, weights=training.weight))
        return self

    def predict(self, features: Features) -> np.ndarray:
        """Return purchase probabilities, float32, shape (n,)."""
        self.check_contract(features)
        values = self._values(features).astype(np.float64)
        log_odds = self.intercept_ + self.slope_ * values
        return sigmoid(log_odds).astype(np.float32)

    def contributions(self, features: Features) -> np.ndarray:
        """Return contributions: all of them belong to the one feature."""
        self.check_contract(features)
        shares = np.zeros((len(features), len(self.contract_.names)), np.float32)
        column = self.contract_.names.index(self.feature)
        shares[:, column] = self.slope_ * (self._values(features) - self.center_)
        return shares

    def parameters(self) -> dict:
        """Return the hyper-parameters: there are none."""
        return {}

    def state(self) -> dict:
        """Return contract, slope, intercept and the average feature value."""
        return {
            "contract": self.contract_.to_dict(),
            "slope": self.slope_,
            "intercept": self.intercept_,
            "center": self.center_,
        }

    def restore(self, state: dict) -> SingleFeatureModel:
        """Take over a saved state."""
        self.contract_ = FeatureContract.from_dict(state["contract"])
        self.slope_ = state["slope"]
        self.intercept_ = state["intercept"]
        self.center_ = state["center"]
        return self

    def _values(self, features: Features) -> np.ndarray:
        return self.transform(np.nan_to_num(features.column(self.feature), nan=0.0))
