"""A weighted mean of other models' log-odds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.special import logit

from ml.models.base import PurchaseModel, sigmoid
from ml.models.logistic import Logistic
from ml.models.network import NeuralNetwork
from ml.models.ranked import RankedModel
from ml.models.trees import BinaryTrees, RankingTrees
from ml.pairs import FeatureContract, Features, TrainingSet

#: Models that a blend can be made of.
MEMBERS: dict[str, type[RankedModel]] = {
    model.name: model for model in (Logistic, BinaryTrees, RankingTrees, NeuralNetwork)
}
#: Probabilities are kept this far from 0 and 1, where log-odds have no end.
MARGIN = 1e-9


class Blend(PurchaseModel):
    """The weighted mean of its members' log-odds.

    The weights are hyper-parameters: ``python -m ml.search`` chooses them on weeks
    that the members had not learned from.

    Parameters
    ----------
    weights
        Weight of each member by name, in any unit; a member without one is left out.
        By default all weigh the same.
    parameters_of
        Hyper-parameters of each member; by default the member's own defaults.
    random_state
        Seed of the members' draws.
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
        self.random_state = random_state
        self.members_: dict[str, PurchaseModel] = {}

    def fit(self, training: TrainingSet) -> Blend:
        """Fit every member that :meth:`adopt` was not given."""
        self.contract_ = training.features.contract
        for name, member in self._unfitted().items():
            if name not in self.members_:
                self.members_[name] = member.fit(training)
        return self

    def adopt(self, fitted: Mapping[str, PurchaseModel]) -> Blend:
        """Take over members that were fitted for themselves with the same settings."""
        for name, member in self._unfitted().items():
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
        return sigmoid(
            sum(
                weight * log_odds(probabilities[name])
                for name, weight in self.weights.items()
            )
        ).astype(np.float32)

    def contributions(self, features: Features) -> np.ndarray:
        """Return the members' contributions by weight."""
        self.check_contract(features)
        return sum(
            np.float32(weight) * self.members_[name].contributions(features)
            for name, weight in self.weights.items()
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
            for name, member in self._unfitted().items()
        }
        return self

    def _unfitted(self) -> dict[str, PurchaseModel]:
        return {
            name: MEMBERS[name](**{"random_state": self.random_state} | parameters)
            for name, parameters in self.parameters_of.items()
        }


def log_odds(probability: np.ndarray) -> np.ndarray:
    """Return log(p / (1 - p)), float64, finite for every probability."""
    return logit(np.clip(probability.astype(np.float64), MARGIN, 1 - MARGIN))
