"""Logistic regression with coefficients by genre."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from ml.models.base import row_sums
from ml.models.encoding import LinearEncoder
from ml.models.ranked import RankedModel
from ml.pairs import MISSING_CODE, Features, TrainingSet

#: The categorical feature whose values get coefficients of their own.
CROSS_FEATURE = "genre"


class Logistic(RankedModel):
    """Regularised logistic regression (scikit-learn, L-BFGS).

    What matters differs by genre (a hair salon must be near, a parcel need not), so
    features of some groups get coefficients by genre besides the common ones. It learns
    few enough numbers to be as sure of new pairs as of those it has seen, so no buyers
    are kept back for the curve.

    Parameters
    ----------
    C
        Inverse strength of the ridge penalty.
    crossed_groups
        Feature groups that get coefficients by genre.
    max_iter
        Upper bound on L-BFGS iterations.
    missing
        What a null becomes: see :class:`ml.models.encoding.LinearEncoder`.
    max_rows, fit_probability, random_state
        See :class:`ml.models.ranked.RankedModel`.
    """

    name = "logistic_regression"
    calibration_share = 0.0

    def __init__(
        self,
        C: float = 0.001,
        crossed_groups: tuple[str, ...] = ("place", "similarity"),
        max_rows: int = 300_000,
        max_iter: int = 200,
        missing: str = "mean_and_indicator",
        fit_probability: bool = True,
        random_state: int = 0,
    ) -> None:
        self.C = C
        self.crossed_groups = tuple(crossed_groups)
        self.max_rows = max_rows
        self.max_iter = max_iter
        self.missing = missing
        self.fit_probability = fit_probability
        self.random_state = random_state

    def fit_ranking(
        self, training: TrainingSet, rows: np.ndarray, weight: np.ndarray
    ) -> None:
        """Fit the regression on weighted pairs of buyers."""
        features, label = training.features, training.label[rows]
        self.encoder_ = LinearEncoder(missing=self.missing).fit(features, rows)
        self._place_columns()
        design = self._design(features, rows)
        n_inputs = len(self.encoder_.sources_)
        self.center_ = np.einsum("i,ij->j", weight / weight.sum(), design[:, :n_inputs])
        self.center_ = self.center_.astype(np.float32)
        # a negative weighs on average as much as a positive
        weight = np.where(label, 1.0, weight / weight[~label].mean())
        with warnings.catch_warnings():
            # the iteration bound is a setting, not a failure
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted = LogisticRegression(C=self.C, max_iter=self.max_iter).fit(
                design, label, sample_weight=weight
            )
        coefficients = fitted.coef_[0].astype(np.float32)
        self.coefficients_ = coefficients[:n_inputs]
        self.crossed_coefficients_ = coefficients[n_inputs:].reshape(
            self._n_genres(), -1
        )

    def ranking(self, features: Features) -> np.ndarray:
        """Return the log-odds without their intercept, shape (n,)."""
        n_rows = len(features)
        log_odds = np.empty(n_rows, dtype=np.float32)
        crossed = np.empty((n_rows, len(self.crossed_columns_)), dtype=np.float32)
        for rows, inputs in self.encoder_.blocks(features):
            log_odds[rows] = row_sums(inputs, self.coefficients_)
            crossed[rows] = inputs[:, self.crossed_columns_]
        genres = features.column_codes(CROSS_FEATURE)
        for genre, coefficients in enumerate(self.crossed_coefficients_):
            rows = np.flatnonzero(genres == genre)
            log_odds[rows] += row_sums(crossed[rows], coefficients)
        return log_odds

    def ranking_contributions(self, features: Features) -> np.ndarray:
        """Return coefficient times distance from the average, by feature."""
        inputs = self.encoder_.transform(features) - self.center_
        by_column = inputs * self.coefficients_
        genres = features.column_codes(CROSS_FEATURE)
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
            "missing": self.missing,
            "fit_probability": self.fit_probability,
            "random_state": self.random_state,
        }

    def ranking_state(self) -> dict:
        """Return encoder, averages and coefficients."""
        return {
            "encoder": self.encoder_.state(),
            "center": self.center_.tolist(),
            "coefficients": self.coefficients_.tolist(),
            "crossed_coefficients": self.crossed_coefficients_.tolist(),
        }

    def restore_ranking(self, state: dict) -> None:
        """Take over encoder, averages and coefficients."""
        encoder = LinearEncoder(missing=self.missing)
        self.encoder_ = encoder.restore(state["encoder"], self.contract_)
        self._place_columns()
        self.center_ = np.array(state["center"], dtype=np.float32)
        self.coefficients_ = np.array(state["coefficients"], dtype=np.float32)
        self.crossed_coefficients_ = np.array(
            state["crossed_coefficients"], dtype=np.float32
        ).reshape(self._n_genres(), len(self.crossed_columns_))

    def _design(self, features: Features, rows: np.ndarray) -> np.ndarray:
        """Return the rows' inputs, then these by genre in a block for each."""
        n_inputs, crossed = len(self.encoder_.sources_), self.crossed_columns_
        n_columns = n_inputs + self._n_genres() * len(crossed)
        design = np.zeros((len(rows), n_columns), dtype=np.float32)
        for places, inputs in self.encoder_.blocks(features, rows):
            design[places, :n_inputs] = inputs
        genres = features.column_codes(CROSS_FEATURE)[rows]
        for genre in range(self._n_genres()):
            places = np.flatnonzero(genres == genre)
            start = n_inputs + genre * len(crossed)
            block = design[:, start : start + len(crossed)]
            block[places] = design[np.ix_(places, crossed)]
        return design

    def _n_genres(self) -> int:
        return len(self.contract_.categories[CROSS_FEATURE])

    def _place_columns(self) -> None:
        self.crossed_columns_ = self.encoder_.columns_of(
            self.crossed_groups, self.contract_
        )
