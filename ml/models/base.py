"""The interface that all purchase models share."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from scipy.special import expit

from ml.pairs import FeatureContract, Features, TrainingSet

#: Least slope of a calibration curve: a ranking stays one even if the sample denies it.
MIN_SLOPE = 1e-3
#: A smaller rise of a score counts as none, where a ratio of rises is no number.
SMALLEST_RISE = 1e-6


class Predictor(ABC):
    """What predicts whether a user buys a coupon in its target week.

    The constructor takes hyper-parameters only; what ``fit`` learns ends in an
    underscore. A predictor refuses features of another contract than its own.
    """

    #: Name in tables and model files.
    name: str

    contract_: FeatureContract

    @abstractmethod
    def fit(self, training: TrainingSet) -> Predictor:
        """Learn from labelled pairs and return the model itself."""

    @abstractmethod
    def predict(self, features: Features) -> np.ndarray:
        """Return purchase probabilities, float32, shape (n,)."""

    @abstractmethod
    def parameters(self) -> dict:
        """Return the hyper-parameters."""

    def predict_in_chunks(
        self, features: Features, chunk_rows: int = 250_000
    ) -> np.ndarray:
        """Return :meth:`predict` of many rows in bounded memory, shape (n,)."""
        parts = [
            self.predict(features.take(slice(start, start + chunk_rows)))
            for start in range(0, len(features), chunk_rows)
        ]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.float32)

    def check_contract(self, features: Features) -> None:
        """Raise ValueError unless the features are those the model was fitted on."""
        # dictionaries are equal in any order, but codes follow the order
        is_same = features.contract == self.contract_
        if not is_same or features.contract.names != self.contract_.names:
            raise ValueError(
                f"{self.name} was fitted on other features than these: train again "
                "with `python -m ml.train` after the marts have changed."
            )


class PurchaseModel(Predictor):
    """A predictor that can be published: it gives reasons and can be saved.

    It is saved as plain data: see :mod:`ml.registry`.
    """

    #: Whether it learns from what was looked at, which needs a visit log.
    needs_views = False

    @abstractmethod
    def contributions(self, features: Features) -> np.ndarray:
        """Return what each feature adds to a pair's score, float32.

        Shape (n, number of features), columns as in ``contract_.names``; measured in
        log-odds against the average training pair.
        """

    @abstractmethod
    def state(self) -> dict:
        """Return what ``fit`` learned as plain JSON values."""

    @abstractmethod
    def restore(self, state: dict) -> PurchaseModel:
        """Take over what :meth:`state` returned, and return the model itself."""

    def coefficients(self) -> list[tuple[str, str, float]]:
        """Return input, genre and coefficient, for models that have any to show."""
        return []


def row_sums(inputs: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Return the weighted sum of each row, the same bits whatever rows stand beside it.

    A matrix product may add up in another order where the number of rows differs, and
    the engine hands out its batches in no fixed order.
    """
    return np.einsum("ij,j->i", np.ascontiguousarray(inputs), coefficients)


def rescaled(rise: np.ndarray, of_score: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Return how much of a score's contributions is passed on to what is made of it.

    That is the rise of the result over the rise of the score, both between the average
    pair and this one, so that contributions add up to the rise of the result.

    Source: the rescale rule of DeepLIFT, Shrikumar, Greenside and Kundaje, "Learning
    Important Features Through Propagating Activation Differences", ICML 2017.

    Parameters
    ----------
    rise, of_score : ndarray of float64, shape (n,)
        Rise of the result and of the score.
    slope : ndarray of float64, shape (n,)
        Derivative of the result by the score, taken where the score does not rise; it
        is overwritten.
    """
    return np.divide(rise, of_score, out=slope, where=np.abs(of_score) > SMALLEST_RISE)


def sigmoid(log_odds: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-x)) without overflow, exact for small probabilities."""
    return expit(log_odds)
