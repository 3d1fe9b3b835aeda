"""From a ranking score to the probability of a purchase."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression

from ml.models.base import MIN_SLOPE, row_sums, sigmoid
from ml.models.encoding import LinearEncoder
from ml.pairs import FeatureContract, Features

#: Groups whose features are the same for all of a user's candidates.
USER_GROUPS = ("user", "rhythm")


class ProbabilityCurve:
    """A logistic regression on a ranking score and on what is known of the user.

    The score tells which coupon, the user's features tell whether any. Within a user
    the curve keeps the order of the score.

    Attributes
    ----------
    slope_, intercept_ : float
    user_coefficients_ : ndarray of float32
        One per column of ``encoder_``.
    """

    def fit(
        self,
        features: Features,
        score: np.ndarray,
        label: np.ndarray,
        weight: np.ndarray,
        rows: np.ndarray | None = None,
    ) -> ProbabilityCurve:
        """Fit on weighted pairs; ``score`` is in log-odds or on a scale like it.

        Parameters
        ----------
        score, label, weight : ndarray, shape (n,)
        rows : ndarray of intp, shape (n,)
            Places of the pairs among the features; None: all of them, in their order.
        """
        self.encoder_ = LinearEncoder(USER_GROUPS).fit(features, rows)
        design = np.column_stack(
            [score, self.encoder_.transform(features, rows)]
        ).astype(np.float64)
        # purchases are so rare that the default tolerance would stop at the start
        regression = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-8)
        regression.fit(design, label, sample_weight=weight)
        if regression.coef_[0, 0] < MIN_SLOPE:
            # a user's own order is the score's, whatever the sample says
            design[:, 0] = 0.0
            regression.fit(design, label, sample_weight=weight)
        self.slope_ = float(max(regression.coef_[0, 0], MIN_SLOPE))
        self.user_coefficients_ = regression.coef_[0, 1:].astype(np.float32)
        self.intercept_ = float(regression.intercept_[0])
        return self

    def predict(self, features: Features, score: np.ndarray) -> np.ndarray:
        """Return purchase probabilities, float32, shape (n,)."""
        log_odds = (
            self.intercept_
            + self.slope_ * score.astype(np.float64)
            + self._of_users(features)
        )
        return sigmoid(log_odds).astype(np.float32)

    def _of_users(self, features: Features) -> np.ndarray:
        """Return what is known of the users in log-odds, shape (n,); of each once."""
        if features.users is None:
            return row_sums(self.encoder_.transform(features), self.user_coefficients_)
        _, first, place = np.unique(
            features.users, return_index=True, return_inverse=True
        )
        inputs = self.encoder_.transform(features.take(first))
        return row_sums(inputs, self.user_coefficients_)[place]

    def contributions(self, features: Features, of_score: np.ndarray) -> np.ndarray:
        """Return log-odds that each feature adds, of the score and of the user.

        Parameters
        ----------
        of_score : ndarray, shape (n, number of features)
            What each feature adds to the score.
        """
        shares = self.slope_ * of_score
        by_column = self.encoder_.transform(features) * self.user_coefficients_
        names = features.contract.names
        for column, source in enumerate(self.encoder_.sources_):
            shares[:, names.index(source)] += by_column[:, column]
        return shares.astype(np.float32)

    def state(self) -> dict:
        """Return what ``fit`` learned as plain JSON values."""
        return {
            "encoder": self.encoder_.state(),
            "slope": self.slope_,
            "intercept": self.intercept_,
            "user_coefficients": self.user_coefficients_.tolist(),
        }

    def restore(self, state: dict, contract: FeatureContract) -> ProbabilityCurve:
        """Take over a saved state."""
        self.encoder_ = LinearEncoder(USER_GROUPS).restore(state["encoder"], contract)
        self.slope_ = state["slope"]
        self.intercept_ = state["intercept"]
        self.user_coefficients_ = np.array(state["user_coefficients"], dtype=np.float32)
        return self
