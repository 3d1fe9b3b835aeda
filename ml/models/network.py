"""A neural network: scikit-learn's multi-layer perceptron, averaged over seeds."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from ml.models.encoding import LinearEncoder
from ml.models.ranked import RankedModel
from ml.pairs import Features, TrainingSet

#: What a product takes in is rounded to whole multiples of this. Products and their
#: sums are then exact in float64 (below 2^17), so that the order in which the library
#: adds up, which depends on the place of a row in its block, cannot change a score.
UNIT = 2.0**-18


class NeuralNetwork(RankedModel):
    """Perceptrons with rectified hidden layers on the encoded features (Adam).

    Several networks with different starting weights are averaged in log-odds: one
    alone depends on its start as much as on its settings.

    Parameters
    ----------
    hidden
        Units of each hidden layer.
    alpha
        L2 penalty on the weights.
    learning_rate, batch_rows, n_epochs
        Step size of Adam, rows per step, passes over the pairs.
    n_networks
        Networks that are averaged.
    missing
        What a null becomes: see :class:`ml.models.encoding.LinearEncoder`.
    max_rows, calibration_share, fit_probability, random_state
        See :class:`ml.models.ranked.RankedModel`.
    """

    name = "neural_network"

    def __init__(
        self,
        hidden: tuple[int, ...] = (64, 32),
        alpha: float = 1e-4,
        learning_rate: float = 1e-3,
        batch_rows: int = 1024,
        n_epochs: int = 6,
        n_networks: int = 2,
        max_rows: int = 500_000,
        calibration_share: float = 0.1,
        missing: str = "mean_and_indicator",
        fit_probability: bool = True,
        random_state: int = 0,
    ) -> None:
        self.hidden = tuple(hidden)
        self.alpha = alpha
        self.learning_rate = learning_rate
        self.batch_rows = batch_rows
        self.n_epochs = n_epochs
        self.n_networks = n_networks
        self.max_rows = max_rows
        self.calibration_share = calibration_share
        self.missing = missing
        self.fit_probability = fit_probability
        self.random_state = random_state

    def fit_ranking(
        self, training: TrainingSet, rows: np.ndarray, weight: np.ndarray
    ) -> None:
        """Fit the networks; pairs of buyers are drawn alike, so they count alike."""
        features, label = training.features, training.label[rows]
        self.encoder_ = LinearEncoder(missing=self.missing).fit(features, rows)
        inputs = self.encoder_.transform(features, rows)
        self.center_ = inputs.mean(axis=0, dtype=np.float64).astype(np.float32)
        self.layers_ = []
        for number in range(self.n_networks):
            network = MLPClassifier(
                self.hidden,
                alpha=self.alpha,
                batch_size=min(self.batch_rows, len(rows)),
                learning_rate_init=self.learning_rate,
                max_iter=self.n_epochs,
                n_iter_no_change=self.n_epochs + 1,
                random_state=self.random_state + number,
            )
            with warnings.catch_warnings():
                # the number of passes is a setting, not a failure
                warnings.simplefilter("ignore", ConvergenceWarning)
                network.fit(inputs, label)
            self.layers_.append(
                [
                    (rounded(weights.astype(np.float64)), bias.astype(np.float64))
                    for weights, bias in zip(
                        network.coefs_, network.intercepts_, strict=True
                    )
                ]
            )
        self._part_first_layer()

    def ranking(self, features: Features) -> np.ndarray:
        """Return the mean log-odds of the networks, shape (n,).

        What the first layer makes of a user or a coupon is worked out once for all of
        its pairs, where these are known. Sums are exact, so it makes no difference.
        """
        parts = self.parts_
        of_pairs = {"user": features.users, "coupon": features.coupons}
        if not all(parts) or any(of is None for of in of_pairs.values()):
            parts = [(self.encoder_, self._first_layer())]
            of_pairs = {}
        shared = []
        for (encoder, weights), of in zip(parts[1:], of_pairs.values(), strict=True):
            _, first, place = np.unique(of, return_index=True, return_inverse=True)
            inputs = encoder.transform(features.take(first))
            shared.append((rounded_inputs(inputs) @ weights, place))
        encoder, weights = parts[0]
        log_odds = np.empty(len(features))
        for rows, inputs in encoder.blocks(features):
            products = rounded_inputs(inputs) @ weights
            for of_level, place in shared:
                products += of_level[place[rows]]
            log_odds[rows] = self._log_odds(products)
        return log_odds

    def ranking_contributions(self, features: Features) -> np.ndarray:
        """Return input minus average, times slope of the log-odds between the two.

        The slope of a hidden unit is its rise from the average pair to this one, over
        the rise of its input (DeepLIFT's rescale rule, Shrikumar and others, 2017), so
        that the sum over the features is the difference in log-odds.
        """
        by_column = np.concatenate(
            [
                ((inputs - self.center_) * self._slope(inputs)).astype(np.float32)
                for _, inputs in self.encoder_.blocks(features)
            ]
        )
        names = self.contract_.names
        shares = np.zeros((len(features), len(names)), dtype=np.float32)
        for column, source in enumerate(self.encoder_.sources_):
            shares[:, names.index(source)] += by_column[:, column]
        return shares

    def parameters(self) -> dict:
        """Return the hyper-parameters."""
        return {
            "hidden": list(self.hidden),
            "alpha": self.alpha,
            "learning_rate": self.learning_rate,
            "batch_rows": self.batch_rows,
            "n_epochs": self.n_epochs,
            "n_networks": self.n_networks,
            "max_rows": self.max_rows,
            "calibration_share": self.calibration_share,
            "missing": self.missing,
            "fit_probability": self.fit_probability,
            "random_state": self.random_state,
        }

    def ranking_state(self) -> dict:
        """Return encoder, averages and weights."""
        return {
            "encoder": self.encoder_.state(),
            "center": self.center_.tolist(),
            "layers": [
                [(weights.tolist(), bias.tolist()) for weights, bias in network]
                for network in self.layers_
            ],
        }

    def restore_ranking(self, state: dict) -> None:
        """Take over encoder, averages and weights."""
        encoder = LinearEncoder(missing=self.missing)
        self.encoder_ = encoder.restore(state["encoder"], self.contract_)
        self.center_ = np.array(state["center"], dtype=np.float32)
        self.layers_ = [
            [
                (np.array(weights, np.float64), np.array(bias, np.float64))
                for weights, bias in network
            ]
            for network in state["layers"]
        ]
        self._part_first_layer()

    def _first_layer(self) -> np.ndarray:
        """Return the weights of the first layers of all networks, side by side."""
        return np.hstack([network[0][0] for network in self.layers_])

    def _part_first_layer(self) -> None:
        """Keep encoder and first layer of the features of each level, pairs first."""
        weights = self._first_layer()
        self.parts_: list[tuple[LinearEncoder, np.ndarray] | None] = []
        for level in ("pair", "user", "coupon"):
            names = set(self.contract_.of_level(level))
            is_of_level = np.array([s in names for s in self.encoder_.sources_])
            self.parts_.append(
                (self.encoder_.part(names, self.contract_), weights[is_of_level])
                if is_of_level.any()
                else None
            )

    def _log_odds(self, products: np.ndarray) -> np.ndarray:
        """Return the mean log-odds, given what the first layers make of the inputs."""
        bounds = np.cumsum([network[0][0].shape[1] for network in self.layers_])[:-1]
        log_odds = np.zeros(len(products))
        by_network = np.hsplit(products, bounds)
        for network, product in zip(self.layers_, by_network, strict=True):
            values = product
            for (_, bias), (weights, _) in pairwise(network):
                values += bias
                values = rounded(np.maximum(values, 0, out=values)) @ weights
            log_odds += values[:, 0] + network[-1][1][0]
        return log_odds / len(self.layers_)

    def _slope(self, inputs: np.ndarray) -> np.ndarray:
        """Return the slope of the mean log-odds by input, shape of the inputs."""
        # the average pair is the last row
        inputs = np.vstack([inputs, self.center_]).astype(np.float64)
        total = np.zeros((len(inputs) - 1, inputs.shape[1]))
        for network in self.layers_:
            values, slopes = inputs, []
            for weights, bias in network[:-1]:
                before = values @ weights + bias
                values = np.maximum(before, 0)
                rise, of_input = (v[:-1] - v[-1] for v in (values, before))
                is_active = (before[:-1] > 0).astype(np.float64)
                slopes.append(
                    np.divide(rise, of_input, out=is_active, where=of_input != 0)
                )
            slope = np.broadcast_to(network[-1][0][:, 0], slopes[-1].shape)
            for (weights, _), of_unit in zip(
                reversed(network[:-1]), reversed(slopes), strict=True
            ):
                slope = (slope * of_unit) @ weights.T
            total += slope
        return total / len(self.layers_)


def rounded_inputs(inputs: np.ndarray) -> np.ndarray:
    """Return standardised float32 inputs as float64, rounded as :func:`rounded` does.

    They are clipped, so that float32 holds every multiple of ``UNIT`` exactly.
    """
    multiples = inputs * np.float32(1 / UNIT)
    np.rint(multiples, out=multiples)
    return np.multiply(multiples, UNIT, dtype=np.float64)


def rounded(values: np.ndarray) -> np.ndarray:
    """Round float64 values to whole multiples of ``UNIT``, in place; return them."""
    values *= 1 / UNIT
    np.rint(values, out=values)
    values *= UNIT
    return values
