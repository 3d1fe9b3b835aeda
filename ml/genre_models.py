"""Models of the genre of the next purchase: two that only count, two that learn."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod

import lightgbm as lgb
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from ml.genre_examples import Examples
from ml.models.encoding import LinearEncoder


class GenreModel(ABC):
    """Gives each genre that it has seen bought a probability.

    Attributes
    ----------
    genres_ : list of str
        Genres of the examples that it was fitted on, in alphabetical order.
    """

    name: str

    def fit(self, examples: Examples) -> GenreModel:
        """Learn from examples."""
        self.genres_, codes = np.unique(examples.genre.astype(str), return_inverse=True)
        counts = np.bincount(codes)
        self.shares_ = counts / counts.sum()
        self._fit(examples, codes)
        return self

    @abstractmethod
    def predict(self, examples: Examples) -> np.ndarray:
        """Return probabilities, shape (n, number of genres)."""

    def _fit(self, examples: Examples, codes: np.ndarray) -> None:
        """Learn what the model needs besides the shares of the genres."""
        del examples, codes


class MostFrequent(GenreModel):
    """The shares of the genres among all earlier examples, the same for everybody."""

    name = "next_genre_most_frequent"

    def predict(self, examples: Examples) -> np.ndarray:
        """Return the shares."""
        return np.tile(self.shares_, (len(examples), 1))


class OwnMostFrequent(GenreModel):
    """The genre that the user bought most often before, the baseline.

    Counts become probabilities by adding purchases of the average user. These part
    genres of equal count, and are all that is known of a user without a purchase.

    Parameters
    ----------
    prior_purchases
        How many are added.
    """

    name = "next_genre_own"

    def __init__(self, prior_purchases: float = 1.0) -> None:
        self.prior_purchases = prior_purchases

    def predict(self, examples: Examples) -> np.ndarray:
        """Return the smoothed shares of the user's own purchases."""
        known = examples.features.contract.numeric
        own = np.zeros((len(examples), len(self.genres_)))
        for place, genre in enumerate(self.genres_):
            # a genre that no seed translates has no column
            if f"n_{genre}_purchases" in known:
                own[:, place] = examples.features.column(f"n_{genre}_purchases")
        own += self.prior_purchases * self.shares_
        return own / own.sum(axis=1, keepdims=True)


class GenreLogistic(GenreModel):
    """Multinomial logistic regression (scikit-learn, L-BFGS).

    Parameters
    ----------
    C
        Inverse strength of the ridge penalty.
    max_iter
        Upper bound on L-BFGS iterations.
    """

    name = "next_genre_logistic_regression"

    def __init__(self, C: float = 0.01, max_iter: int = 100) -> None:
        self.C = C
        self.max_iter = max_iter

    def _fit(self, examples: Examples, codes: np.ndarray) -> None:
        self.encoder_ = LinearEncoder().fit(examples.features)
        with warnings.catch_warnings():
            # the iteration bound is a setting, not a failure
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.model_ = LogisticRegression(C=self.C, max_iter=self.max_iter).fit(
                self.encoder_.transform(examples.features), codes
            )

    def predict(self, examples: Examples) -> np.ndarray:
        """Return the regression's probabilities."""
        return self.model_.predict_proba(self.encoder_.transform(examples.features))


class GenreTrees(GenreModel):
    """Gradient-boosted trees with one tree per genre and round (LightGBM).

    Parameters
    ----------
    n_rounds, learning_rate, num_leaves, min_leaf_rows, l2
        As in LightGBM.
    random_state
        Seed of the draws.
    """

    name = "next_genre_lightgbm"

    def __init__(
        self,
        n_rounds: int = 100,
        learning_rate: float = 0.05,
        num_leaves: int = 7,
        min_leaf_rows: int = 50,
        l2: float = 10.0,
        random_state: int = 0,
    ) -> None:
        self.n_rounds = n_rounds
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.min_leaf_rows = min_leaf_rows
        self.l2 = l2
        self.random_state = random_state

    def _fit(self, examples: Examples, codes: np.ndarray) -> None:
        parameters = {
            "objective": "multiclass",
            "num_class": len(self.genres_),
            "learning_rate": self.learning_rate,
            "num_leaves": self.num_leaves,
            "min_data_in_leaf": self.min_leaf_rows,
            "lambda_l2": self.l2,
            "seed": self.random_state,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "verbose": -1,
        }
        data = lgb.Dataset(examples.features.values, codes, params=parameters)
        self.booster_ = lgb.train(parameters, data, num_boost_round=self.n_rounds)

    def predict(self, examples: Examples) -> np.ndarray:
        """Return the trees' probabilities."""
        return self.booster_.predict(examples.features.values, num_threads=1)


def genre_models(random_state: int = 0) -> list[GenreModel]:
    """Return the models, not fitted; the second is what the others must beat."""
    return [
        MostFrequent(),
        OwnMostFrequent(),
        GenreLogistic(),
        GenreTrees(random_state=random_state),
    ]
