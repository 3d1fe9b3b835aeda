"""The mean of other models' probabilities."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.special import logit

from ml.models.base import PurchaseModel, rescaled, sigmoid
from ml.models.logistic import Logistic
from ml.models.network import NeuralNetwork
from ml.models.ranked import RankedModel
from ml.models.trees import BinaryTrees, RankingTrees
from ml.pairs import FeatureContract, Features, TrainingSet

#: Models that a blend can be made of.
MEMBERS: dict[str, type[RankedModel]] = {
    model.name: model for model in (Logistic, BinaryTrees, RankingTrees, NeuralNetwork)
}
#: For log-odds a probability counts as no less and no more than these: the least that a
#: float32 holds in full, and a little below 1.
LEAST, MOST = float(np.finfo(np.float32).tiny), 1 - 1e-9


class Blend(PurchaseModel):
    """The mean of its members' probabilities.

    Where members disagree about a rare purchase, the mean of log-odds would be nearer
    to the lowest of them. How many buy a coupon that is nearly free is known so badly
    that members often disagree.

    Its members are a hyper-parameter: ``python -m ml.search`` chooses them on weeks
    that they had not learned from, and gives all of them the same weight.

    Parameters
    ----------
    weights
        Weight of each member by name, in any unit; a member without one is left out.
        By default all weigh the same.
    parameters_of
        Hyper-parameters of each member; by default the member's own defaults.
    random_state
        Seed of the members' draws.

    Raises
    ------
    ValueError
        A member is to be fitted without its curve, so that it gives no probability.
    """

    name = "blend"

    def __init__(
        self,
        weights: Mapping[str, float] | None = None,
        parameters_of: Mapping[str, dict] | None = None,
        random_state: int = 0,
    ) -> None:
        weights = dict.fromkeys(MEMBERS, 1.0) if weights is None else weights
        total = sum(weights.values())
        self.weights = {k: v / total for k, v in weights.items() if v > 0}
        self.parameters_of = {
            name: dict((parameters_of or {}).get(name, {})) for name in self.weights
        }
        for name, parameters in self.parameters_of.items():
            if not parameters.get("fit_probability", True):
                raise ValueError(
                    f"{name} gives no probability with fit_probability = false, so it "
                    "cannot be part of a blend."
                )
        self.random_state = random_state
        self.members_: dict[str, PurchaseModel] = {}

    def fit(self, training: TrainingSet) -> Blend:
        """Fit every member that :meth:`adopt` was not given."""
        self.contract_ = training.features.contract
        for name, member in self.unfitted().items():
            if name not in self.members_:
                self.members_[name] = member.fit(training)
        return self

    def adopt(self, fitted: Mapping[str, PurchaseModel]) -> Blend:
        """Take over members that were fitted for themselves with the same settings."""
        for name, member in self.unfitted().items():
            model = fitted.get(name)
            if model is not None and model.parameters() == member.parameters():
                self.members_[name] = model
        return self

    def predict(self, features: Features) -> np.ndarray:
        """Return purchase probabilities, float32, shape (n,)."""
        self.check_contract(features)
        return self.combine(
            {name: model.predict(features) for name, model in self.members_.items()}
        )

    def combine(self, probabilities: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the blend of the members' probabilities, float32, their shape."""
        mean = sum(
            np.float32(weight) * probabilities[name]
            for name, weight in self.weights.items()
        )
        # shares as float32 may sum to a little more than 1
        return np.minimum(mean, np.float32(1))

    def contributions(self, features: Features) -> np.ndarray:
        """Return the members' contributions, as far as they change the mean.

        A member's contribution in log-odds is passed on by the rise of its probability
        over that of its log-odds, times its weight, times the rise of the mean's
        log-odds over that of the mean, all between the average pair and this one
        (DeepLIFT's rescale rule), so that the sum over the features is the difference
        in log-odds.
        """
        self.check_contract(features)
        start, end, passed_on = 0.0, 0.0, []
        for name, weight in self.weights.items():
            member = self.members_[name]
            of_member = member.contributions(features)
            at_end = log_odds(member.predict(features))
            first = sigmoid(at_end - of_member.sum(axis=1, dtype=np.float64))
            last = sigmoid(at_end)
            start = start + weight * first
            end = end + weight * last
            passed_on.append((weight / odds_slope(first, last), of_member))
        of_mean = odds_slope(start, end)
        return sum(
            (slope * of_mean)[:, None].astype(np.float32) * of_member
            for slope, of_member in passed_on
        )

    def coefficients(self) -> list[tuple[str, str, float]]:
        """Return the weight of each member."""
        return [(name, "all", weight) for name, weight in self.weights.items()]

    def parameters(self) -> dict:
        """Return the hyper-parameters."""
        return {
            "weights": self.weights,
            "parameters_of": self.parameters_of,
            "random_state": self.random_state,
        }

    def state(self) -> dict:
        """Return what the members learned as plain JSON values."""
        return {
            "contract": self.contract_.to_dict(),
            "members": {name: model.state() for name, model in self.members_.items()},
        }

    def restore(self, state: dict) -> Blend:
        """Take over a saved state."""
        self.contract_ = FeatureContract.from_dict(state["contract"])
        self.members_ = {
            name: member.restore(state["members"][name])
            for name, member in self.unfitted().items()
        }
        return self

    def unfitted(self) -> dict[str, PurchaseModel]:
        """Return new models with the members' settings, by name."""
        return {
            name: MEMBERS[name](**{"random_state": self.random_state} | parameters)
            for name, parameters in self.parameters_of.items()
        }


def log_odds(probability: np.ndarray) -> np.ndarray:
    """Return log(p / (1 - p)), float64, finite for every probability."""
    return logit(np.clip(probability.astype(np.float64), LEAST, MOST))


def odds_slope(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the rise of log-odds per rise of the probability between two of them."""
    start, end = (np.clip(p, LEAST, MOST) for p in (start, end))
    return 1 / rescaled(end - start, logit(end) - logit(start), end * (1 - end))
