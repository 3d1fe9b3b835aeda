"""Logistic regression with coefficients by genre."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from ml.models.base import MIN_SLOPE, PurchaseModel, row_sums, sigmoid
from ml.models.encoding import LinearEncoder
from ml.pairs import MISSING_CODE, FeatureContract, Features, TrainingSet

#: The categorical feature whose values get coefficients of their own.
CROSS_FEATURE = "genre"
#: Groups whose features are the same for all of a user's candidates.
USER_GROUPS = ("user", "rhythm")


class Logistic(PurchaseModel):
    """Two regularised logistic regressions (scikit-learn, L-BFGS), one on the other.

    The first ranks: it sees only users who bought something in the week, so that it
    learns which coupon and not whether any. What matters differs by genre (a hair salon
    must be near, a parcel need not), so features of some groups get coefficients by
    genre besides the common ones. The second sees all users, takes the first one's
    log-odds and what is known of the user, and turns them into the probability of a
    purchase; within a user it keeps the first one's order.

    Parameters
    ----------
    C
        Inverse strength of the ridge penalty of the first regression.
    crossed_groups
        Feature groups that get coefficients by genre.
    max_rows
        Upper bound on training pairs of each regression; beyond it negatives are drawn
        at random and weigh accordingly more.
    max_iter
        Upper bound on L-BFGS iterations.
    fit_probability
        Whether to fit the second regression. Without it the order within a user is the
        same, which is all that a search for the best ranking needs.
    random_state
        Seed of the draw.
    """

    name = "logistic_regression"

    def __init__(
        self,
        C: float = 0.001,
        crossed_groups: tuple[str, ...] = ("place", "similarity"),
        max_rows: int = 300_000,
        max_iter: int = 200,
        fit_probability: bool = True,
        random_state: int = 0,
    ) -> None:
        self.C = C
        self.crossed_groups = tuple(crossed_groups)
        self.max_rows = max_rows
        self.max_iter = max_iter
        self.fit_probability = fit_probability
        self.random_state = random_state

    def fit(self, training: TrainingSet) -> Logistic:
        """Fit both regressions; rows must come in a fixed order to repeat a fit."""
        self.contract_ = training.features.contract
        generator = np.random.default_rng(self.random_state)

        def thinned(is_used: np.ndarray) -> tuple[TrainingSet, np.ndarray]:
            return _thin_negatives(training, is_used, self.max_rows, generator)

        self._fit_ranking(*thinned(_is_of_buyer(training)))
        self.slope_, self.intercept_ = 1.0, 0.0
        self.user_coefficients_ = np.zeros(len(self.user_columns_), dtype=np.float32)
        if self.fit_probability:
            self._fit_probability(*thinned(np.ones(len(training), dtype=bool)))
        return self

    def predict(self, features: Features) -> np.ndarray:
        """Return purchase probabilities, float32, shape (n,)."""
        self.check_contract(features)
        inputs = self.encoder_.transform(features)
        log_odds = (
            self.intercept_
            + self.slope_ * self._ranking(inputs, features).astype(np.float64)
            + row_sums(inputs[:, self.user_columns_], self.user_coefficients_)
        )
        return sigmoid(log_odds).astype(np.float32)

    def contributions(self, features: Features) -> np.ndarray:
        """Return log-odds that each feature adds against the average training pair."""
        self.check_contract(features)
        inputs = self.encoder_.transform(features) - self.center_
        by_column = inputs * self.coefficients_
        genres = features.codes[:, self._genre_column()]
        by_genre = (
            self.crossed_coefficients_[genres] * (genres != MISSING_CODE)[:, None]
        )
        by_column[:, self.crossed_columns_] += (
            inputs[:, self.crossed_columns_] * by_genre
        )
        # what a genre's own coefficients make of an average pair is the genre's
        is_genre = [source == CROSS_FEATURE for source in self.encoder_.sources_]
        by_column[:, is_genre] += inputs[:, is_genre] * (
            row_sums(self.crossed_coefficients_, self.center_[self.crossed_columns_])
        )
        by_column *= self.slope_
        by_column[:, self.user_columns_] += (
            inputs[:, self.user_columns_] * self.user_coefficients_
        )
        names = self.contract_.names
        shares = np.zeros((len(features), len(names)), dtype=np.float32)
        for column, source in enumerate(self.encoder_.sources_):
            shares[:, names.index(source)] += by_column[:, column]
        return shares

    def coefficients(self) -> list[tuple[str, str, float]]:
        """Return input, genre ('all' for the common part) and coefficient."""
        labels = self.encoder_.labels_
        rows = [
            (label, "all", float(value))
            for label, value in zip(labels, self.coefficients_, strict=True)
        ]
        genres = self.contract_.categories[CROSS_FEATURE]
        for genre, values in zip(genres, self.crossed_coefficients_, strict=True):
            rows += [
                (labels[column], genre, float(value))
                for column, value in zip(self.crossed_columns_, values, strict=True)
            ]
        return rows

    def parameters(self) -> dict:
        """Return the hyper-parameters."""
        return {
            "C": self.C,
            "crossed_groups": list(self.crossed_groups),
            "max_rows": self.max_rows,
            "max_iter": self.max_iter,
            "fit_probability": self.fit_probability,
            "random_state": self.random_state,
        }

    def state(self) -> dict:
        """Return what ``fit`` learned as plain JSON values."""
        return {
            "contract": self.contract_.to_dict(),
            "encoder": self.encoder_.state(),
            "center": self.center_.tolist(),
            "coefficients": self.coefficients_.tolist(),
            "crossed_coefficients": self.crossed_coefficients_.tolist(),
            "user_coefficients": self.user_coefficients_.tolist(),
            "slope": self.slope_,
            "intercept": self.intercept_,
        }

    def restore(self, state: dict) -> Logistic:
        """Take over a saved state."""
        self.contract_ = FeatureContract.from_dict(state["contract"])
        self.encoder_ = LinearEncoder().restore(state["encoder"], self.contract_)
        self._place_columns()
        self.center_ = np.array(state["center"], dtype=np.float32)
        self.coefficients_ = np.array(state["coefficients"], dtype=np.float32)
        self.crossed_coefficients_ = np.array(
            state["crossed_coefficients"], dtype=np.float32
        ).reshape(self._n_genres(), len(self.crossed_columns_))
        self.user_coefficients_ = np.array(state["user_coefficients"], dtype=np.float32)
        self.slope_ = state["slope"]
        self.intercept_ = state["intercept"]
        return self

    def _fit_ranking(self, training: TrainingSet, weight: np.ndarray) -> None:
        features = training.features
        self.encoder_ = LinearEncoder().fit(features)
        self._place_columns()
        inputs = self.encoder_.transform(features)
        self.center_ = np.average(inputs, axis=0, weights=weight).astype(np.float32)
        design = np.hstack(
            [
                inputs,
                _by_genre(
                    inputs[:, self.crossed_columns_],
                    features.codes[:, self._genre_column()],
                    self._n_genres(),
                ),
            ]
        )
        # a negative weighs on average as much as a positive
        weight = np.where(training.label, 1.0, weight / weight[~training.label].mean())
        with warnings.catch_warnings():
            # the iteration bound is a setting, not a failure
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted = LogisticRegression(C=self.C, max_iter=self.max_iter).fit(
                design, training.label, sample_weight=weight
            )
        n_inputs = inputs.shape[1]
        coefficients = fitted.coef_[0].astype(np.float32)
        self.coefficients_ = coefficients[:n_inputs]
        self.crossed_coefficients_ = coefficients[n_inputs:].reshape(
            self._n_genres(), -1
        )

    def _fit_probability(self, training: TrainingSet, weight: np.ndarray) -> None:
        features = training.features
        inputs = self.encoder_.transform(features)
        design = np.column_stack(
            [self._ranking(inputs, features), inputs[:, self.user_columns_]]
        ).astype(np.float64)
        # purchases are so rare that the default tolerance would stop at the start
        second = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-8)
        second.fit(design, training.label, sample_weight=weight)
        if second.coef_[0, 0] < MIN_SLOPE:
            # a user's own order is the first regression's, whatever the sample says
            design[:, 0] = 0.0
            second.fit(design, training.label, sample_weight=weight)
        self.slope_ = float(max(second.coef_[0, 0], MIN_SLOPE))
        self.user_coefficients_ = second.coef_[0, 1:].astype(np.float32)
        self.intercept_ = float(second.intercept_[0])

    def _ranking(self, inputs: np.ndarray, features: Features) -> np.ndarray:
        log_odds = row_sums(inputs, self.coefficients_)
        crossed = inputs[:, self.crossed_columns_]
        genres = features.codes[:, self._genre_column()]
        for genre, coefficients in enumerate(self.crossed_coefficients_):
            rows = np.flatnonzero(genres == genre)
            log_odds[rows] += row_sums(crossed[rows], coefficients)
        return log_odds

    def _genre_column(self) -> int:
        return list(self.contract_.categories).index(CROSS_FEATURE)

    def _n_genres(self) -> int:
        return len(self.contract_.categories[CROSS_FEATURE])

    def _place_columns(self) -> None:
        columns_of = self.encoder_.columns_of
        self.crossed_columns_ = columns_of(self.crossed_groups, self.contract_)
        self.user_columns_ = columns_of(USER_GROUPS, self.contract_)


def _is_of_buyer(training: TrainingSet) -> np.ndarray:
    """Return which rows belong to a user who bought something in that week."""
    week = training.cutoff.astype("datetime64[D]").astype(np.int64)
    user_week = week * (int(training.user_id.max()) + 1) + training.user_id
    return np.isin(user_week, np.unique(user_week[training.label]))


def _thin_negatives(
    training: TrainingSet,
    is_used: np.ndarray,
    max_rows: int,
    generator: np.random.Generator,
) -> tuple[TrainingSet, np.ndarray]:
    """Return at most about ``max_rows`` used pairs, all positives among them, weighted.

    What is left out of the negatives is added to the weight of those that stay.
    """
    n_positives = int((is_used & training.label).sum())
    n_negatives = int(is_used.sum()) - n_positives
    share = min(1.0, max(max_rows - n_positives, 1) / max(n_negatives, 1))
    is_kept = training.label | (generator.random(len(training)) < share)
    thinned = training.take(is_used & is_kept)
    return thinned, np.where(thinned.label, 1.0, thinned.weight / share)


def _by_genre(inputs: np.ndarray, genre: np.ndarray, n_genres: int) -> np.ndarray:
    """Place each row's inputs into the block of columns of its genre."""
    n_rows, n_columns = inputs.shape
    placed = np.zeros((n_rows, n_genres, n_columns), dtype=np.float32)
    rows = np.flatnonzero(genre != MISSING_CODE)
    placed[rows, genre[rows]] = inputs[rows]
    return placed.reshape(n_rows, n_genres * n_columns)
