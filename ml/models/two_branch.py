"""A two-branch network: a vector of the user, a vector of the coupon, their product."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from ml.models.encoding import LinearEncoder
from ml.models.network import rounded, rounded_inputs
from ml.models.ranked import RankedModel
from ml.models.sampling import buyer_weeks
from ml.pairs import Features, TrainingSet

#: What a feature says something of; every branch takes the features of one.
LEVELS = ("user", "coupon", "pair")
#: What fitting makes small: see :mod:`ml.models.branch_training`.
LOSSES = ("softmax", "binary")

Layers = list[tuple[np.ndarray, np.ndarray]]


def has_torch() -> bool:
    """Whether PyTorch is installed, which fitting needs."""
    return find_spec("torch") is not None


class TwoBranchNetwork(RankedModel):
    """A tower of the user, a tower of the coupon, and a perceptron of the pair.

    Each tower, a perceptron with rectified hidden layers, makes a vector of what is
    known of its side alone; the log-odds are the product of the two vectors, plus what
    a perceptron makes of the features of the pair and of both vectors. Categories enter
    as vectors that are learned. Fitted with PyTorch (AdamW, a falling step size),
    scored by numpy: a saved model needs no PyTorch.

    Which feature goes where is read off the training pairs: see :func:`levels_of`.

    Parameters
    ----------
    tower_units, pair_units
        Units of each hidden layer of a tower and of the perceptron of the pair.
    n_factors
        Length of the vectors of user and coupon.
    n_vector
        Length of a category's vector, at most the number of categories.
    loss
        ``softmax`` over the pairs of a buyer's week, of which each bought one should
        come out first; or ``binary``, bought or not, pair by pair.
    decay
        Weight decay of AdamW, on all numbers but the biases.
    learning_rate, lists_per_step, n_epochs
        Step size at the start, buyers' weeks per step, passes over the pairs.
    n_networks
        Networks with different starting weights, averaged in log-odds.
    missing
        What a null becomes: see :class:`ml.models.encoding.LinearEncoder`.
    max_rows, calibration_share, fit_probability, random_state
        See :class:`ml.models.ranked.RankedModel`.

    Attributes
    ----------
    levels_ : dict
        Per feature ``user``, ``coupon`` or ``pair``.
    columns_ : dict
        Per level the columns of the encoded features.
    networks_ : list of dict
        Per network and level its layers; those of ``pair`` take the user's and the
        coupon's vector after its columns.
    """

    name = "two_branch_network"

    def __init__(
        self,
        tower_units: tuple[int, ...] = (32,),
        n_factors: int = 16,
        pair_units: tuple[int, ...] = (32,),
        n_vector: int = 4,
        loss: str = "softmax",
        decay: float = 1.0,
        learning_rate: float = 2e-3,
        lists_per_step: int = 16,
        n_epochs: int = 12,
        n_networks: int = 2,
        max_rows: int = 500_000,
        calibration_share: float = 0.1,
        missing: str = "mean_and_indicator",
        fit_probability: bool = True,
        random_state: int = 0,
    ) -> None:
        if loss not in LOSSES:
            raise ValueError(f"loss is {loss!r}, not one of {', '.join(LOSSES)}")
        self.tower_units = tuple(tower_units)
        self.n_factors = n_factors
        self.pair_units = tuple(pair_units)
        self.n_vector = n_vector
        self.loss = loss
        self.decay = decay
        self.learning_rate = learning_rate
        self.lists_per_step = lists_per_step
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
        # loading it takes a second or two, and without the extra it is not there
        from ml.models.branch_training import Branch, Steps, fit_branches

        training = training.take(rows)
        self.levels_ = levels_of(training)
        self.encoder_ = LinearEncoder(missing=self.missing).fit(training.features)
        self._part_columns()
        inputs = self.encoder_.transform(training.features)
        self.center_ = inputs.mean(axis=0, dtype=np.float64).astype(np.float32)
        categories = self.contract_.categories
        units = {
            "user": (*self.tower_units, self.n_factors),
            "coupon": (*self.tower_units, self.n_factors),
            "pair": (*self.pair_units, 1),
        }
        branches = {
            level: Branch(
                self.columns_[level],
                tuple(
                    len(values)
                    for name, values in categories.items()
                    if self.levels_[name] == level
                ),
                2 * self.n_factors if level == "pair" else 0,
                units[level],
            )
            for level in LEVELS
        }
        steps = Steps(
            self.loss,
            self.n_vector,
            self.decay,
            self.learning_rate,
            self.lists_per_step,
            self.n_epochs,
        )
        lists, _ = buyer_weeks(training)
        self.networks_ = []
        for number in range(self.n_networks):
            layers = fit_branches(
                *(inputs, training.label, lists, branches, steps),
                random_state=self.random_state + number,
            )
            self.networks_.append(
                {
                    level: [(rounded(weights), bias) for weights, bias in of_branch]
                    for level, of_branch in layers.items()
                }
            )

    def ranking(self, features: Features) -> np.ndarray:
        """Return the mean log-odds of the networks, shape (n,)."""
        return np.concatenate(
            [self._log_odds(inputs) for _, inputs in self.encoder_.blocks(features)]
        )

    def ranking_contributions(self, features: Features) -> np.ndarray:
        """Return input minus average, times slope of the log-odds between the two."""
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
            "tower_units": list(self.tower_units),
            "n_factors": self.n_factors,
            "pair_units": list(self.pair_units),
            "n_vector": self.n_vector,
            "loss": self.loss,
            "decay": self.decay,
            "learning_rate": self.learning_rate,
            "lists_per_step": self.lists_per_step,
            "n_epochs": self.n_epochs,
            "n_networks": self.n_networks,
            "max_rows": self.max_rows,
            "calibration_share": self.calibration_share,
            "missing": self.missing,
            "fit_probability": self.fit_probability,
            "random_state": self.random_state,
        }

    def ranking_state(self) -> dict:
        """Return encoder, averages, levels and weights."""
        return {
            "encoder": self.encoder_.state(),
            "center": self.center_.tolist(),
            "levels": self.levels_,
            "networks": [
                {
                    level: [(w.tolist(), bias.tolist()) for w, bias in layers]
                    for level, layers in network.items()
                }
                for network in self.networks_
            ],
        }

    def restore_ranking(self, state: dict) -> None:
        """Take over encoder, averages, levels and weights."""
        encoder = LinearEncoder(missing=self.missing)
        self.encoder_ = encoder.restore(state["encoder"], self.contract_)
        self.center_ = np.array(state["center"], dtype=np.float32)
        self.levels_ = dict(state["levels"])
        self._part_columns()
        self.networks_ = [
            {
                level: [
                    # a branch without features has weights of no rows
                    (
                        np.array(w, np.float64).reshape(-1, len(bias)),
                        np.array(bias, np.float64),
                    )
                    for w, bias in layers
                ]
                for level, layers in network.items()
            }
            for network in state["networks"]
        ]

    def _part_columns(self) -> None:
        """Find the inputs of each branch."""
        level_of = np.array([self.levels_[s] for s in self.encoder_.sources_])
        self.columns_ = {level: np.flatnonzero(level_of == level) for level in LEVELS}

    def _log_odds(self, inputs: np.ndarray) -> np.ndarray:
        log_odds = np.zeros(len(inputs))
        values = rounded_inputs(inputs)
        of_level = {k: values[:, columns] for k, columns in self.columns_.items()}
        for network in self.networks_:
            user, coupon = (
                rounded(_exact(network[k], of_level[k])) for k in LEVELS[:2]
            )
            pair = np.hstack([of_level["pair"], user, coupon])
            log_odds += _exact(network["pair"], pair)[:, 0]
            log_odds += np.einsum("ij,ij->i", user, coupon)
        return log_odds / len(self.networks_)

    def _slope(self, inputs: np.ndarray) -> np.ndarray:
        """Return the slope of the mean log-odds by input, shape of the inputs."""
        # the average pair is the last row
        inputs = np.vstack([inputs, self.center_]).astype(np.float64)
        of_level = {k: inputs[:, columns] for k, columns in self.columns_.items()}
        total = np.zeros((len(inputs) - 1, inputs.shape[1]))
        one = np.ones((len(inputs) - 1, 1))
        for network in self.networks_:
            user, of_user = _values_and_rises(network["user"], of_level["user"])
            coupon, of_coupon = _values_and_rises(network["coupon"], of_level["coupon"])
            pair = np.hstack([of_level["pair"], user, coupon])
            _, of_pair = _values_and_rises(network["pair"], pair)
            slope = _back(network["pair"], of_pair, one)
            by_pair, by_user, by_coupon = np.split(
                slope, [-2 * self.n_factors, -self.n_factors], axis=1
            )
            by_user = by_user + (coupon[:-1] + coupon[-1]) / 2
            by_coupon = by_coupon + (user[:-1] + user[-1]) / 2
            total[:, self.columns_["pair"]] += by_pair
            total[:, self.columns_["user"]] += _back(network["user"], of_user, by_user)
            total[:, self.columns_["coupon"]] += _back(
                network["coupon"], of_coupon, by_coupon
            )
        return total / len(self.networks_)


def levels_of(training: TrainingSet) -> dict[str, str]:
    """Return per feature what it says something of: ``user``, ``coupon`` or ``pair``.

    The pairs tell: what never differs between the pairs of a user and week is the
    user's, what never differs between those of a coupon and week is the coupon's.
    """
    levels = dict.fromkeys(training.features.contract.names, "pair")
    # what never differs at all is the user's
    for level, ids in (("coupon", training.coupon_id), ("user", training.user_id)):
        order = np.lexsort((ids, training.cutoff))
        is_same = (np.diff(ids[order]) == 0) & (
            np.diff(training.cutoff[order]) == np.timedelta64(0, "D")
        )
        before, after = order[:-1][is_same], order[1:][is_same]
        for name, values in zip(levels, training.features.values.T, strict=True):
            if np.array_equal(values[before], values[after], equal_nan=True):
                levels[name] = level
    return levels


def _exact(layers: Layers, values: np.ndarray) -> np.ndarray:
    """Return the output of a perceptron whose sums are exact: inputs are rounded."""
    for number, (weights, bias) in enumerate(layers):
        if number:
            values = rounded(np.maximum(values, 0, out=values))
        values = values @ weights
        values += bias
    return values


def _values_and_rises(
    layers: Layers, values: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the output, and how much of its input's rise each hidden unit passes on.

    Rises are those from the last row to the others.
    """
    rises = []
    for number, (weights, bias) in enumerate(layers):
        if number:
            before, values = values, np.maximum(values, 0)
            rise, of_input = (v[:-1] - v[-1] for v in (values, before))
            is_active = (before[:-1] > 0).astype(np.float64)
            rises.append(np.divide(rise, of_input, out=is_active, where=of_input != 0))
        values = values @ weights + bias
    return values, rises


def _back(layers: Layers, rises: list[np.ndarray], slope: np.ndarray) -> np.ndarray:
    """Return the slope by input, given that by output, shape (n, n_in)."""
    for number in range(len(layers) - 1, -1, -1):
        slope = slope @ layers[number][0].T
        if number:
            slope = slope * rises[number - 1]
    return slope
