"""Questions about how models are fitted, each with the options that answer it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ml.models import MODELS
from ml.models.blend import MEMBERS, Blend
from ml.models.encoding import MISSING
from ml.pairs import TrainingSet

#: Numbers of last weeks and shares of users that a learning curve is made of.
CURVE_WEEKS = (1, 2, 4, 8)
CURVE_SHARES = (0.125, 0.25, 0.5)
SHARE_NAMES = {0.125: "1/8", 0.25: "1/4", 0.5: "1/2"}

#: Knuth's multiplier: spreads numbers in a row evenly over 32 bits.
MULTIPLIER = 2654435761


@dataclass(frozen=True)
class Option:
    """One way to fit a model.

    Attributes
    ----------
    aspect
        What is varied; the same for all options that are read together.
    n_weeks
        Last weeks that it is fitted on; by default all.
    user_share
        Share of the users that it is fitted on.
    parameters
        Hyper-parameters on top of the chosen ones.
    """

    aspect: str
    name: str
    n_weeks: int | None = None
    user_share: float = 1.0
    parameters: dict = field(default_factory=dict)

    @property
    def part(self) -> tuple[int | None, float]:
        """The same for options that are fitted on the same pairs."""
        return self.n_weeks, self.user_share

    def rows(self, training: TrainingSet) -> np.ndarray:
        """Return which pairs it is fitted on, bool, shape (n,)."""
        chosen = users_of_share(training.user_id, self.user_share)
        if self.n_weeks is not None:
            chosen &= np.isin(training.cutoff, self._weeks(training))
        return chosen

    def weeks_used(self, training: TrainingSet) -> int:
        """Return the number of weeks that it is fitted on."""
        return len(self._weeks(training))

    def _weeks(self, training: TrainingSet) -> np.ndarray:
        weeks = np.unique(training.cutoff)
        return weeks if self.n_weeks is None else weeks[-self.n_weeks :]


@dataclass(frozen=True)
class Question:
    """What is asked, and of which models.

    Attributes
    ----------
    options
        Returns the options for so many fitting weeks and the hyper-parameters chosen
        for each model; the others are subtracted from the first.
    parameters
        Hyper-parameters that a model must have.
    """

    title: str
    introduction: str
    models: tuple[str, ...]
    options: Callable[[int, Mapping[str, dict]], list[Option]]
    parameters: tuple[str, ...] = ()

    def suits(self, model_name: str) -> bool:
        """Return whether the model has the hyper-parameters that are varied."""
        has = MODELS[model_name]().parameters()
        return all(name in has for name in self.parameters)


def users_of_share(user_id: np.ndarray, share: float) -> np.ndarray:
    """Return whose users belong to the share, bool, shape (n,).

    A user is in or out for good, and who is in a share is in all greater ones.
    """
    place = (user_id.astype(np.uint64) * MULTIPLIER) % 2**32
    return place < share * 2**32


def learning_curve(n_weeks: int, chosen: Mapping[str, dict]) -> list[Option]:
    """Return all data, then the last weeks, then shares of the users."""
    del chosen
    return [
        Option("all", "all weeks and users"),
        *(
            Option("weeks", f"last {n} week{'s' if n > 1 else ''}", n_weeks=n)
            for n in CURVE_WEEKS
            if n < n_weeks
        ),
        *(
            Option("users", f"{SHARE_NAMES[share]} of the users", user_share=share)
            for share in CURVE_SHARES
        ),
    ]


def missing_values(n_weeks: int, chosen: Mapping[str, dict]) -> list[Option]:
    """Return what a null may become, the models' default first."""
    del n_weeks, chosen
    return [
        Option("missing", name.replace("_", " "), parameters={"missing": name})
        for name in MISSING
    ]


def members(n_weeks: int, chosen: Mapping[str, dict]) -> list[Option]:
    """Return the blend, then it without each of its members and with each other one."""
    del n_weeks
    blend = chosen[Blend.name]
    weights, settings = blend["weights"], blend["parameters_of"]
    weight = max(weights.values())
    return [
        Option("members", "as chosen"),
        *(
            Option(
                *("members", f"without {name}"),
                parameters={"weights": {k: v for k, v in weights.items() if k != name}},
            )
            for name in weights
            if len(weights) > 1
        ),
        *(
            Option(
                *("members", f"with {name}"),
                parameters={
                    "weights": weights | {name: weight},
                    "parameters_of": settings | {name: chosen[name]},
                },
            )
            for name in MEMBERS
            if name not in weights
        ),
    ]


QUESTIONS = {
    "learning_curve": Question(
        "Are there enough data?",
        "A model is fitted on fewer of the last weeks, or on fewer users of all weeks, "
        "and compared with the one fitted on everything. Features are those of the "
        "marts in each case: a user's history and a coupon's record are as long, and "
        "counted over as many users, as they are. Where the pairs are more than a "
        "model's max_rows, it draws among the negatives as always.",
        (*MEMBERS, Blend.name),
        learning_curve,
    ),
    "members": Question(
        "Does each member of the blend earn its place?",
        "The published blend, compared with blends of fewer members and of one more. "
        "The weeks are among those that the members were chosen on.",
        (Blend.name,),
        members,
        ("weights",),
    ),
    "missing_values": Question(
        "What stands in place of a missing value?",
        "Models that add up their inputs need a number where a feature is null: the "
        "mean or the median of its known values, as scaled, with or without an input "
        "that says it was null. (Trees send nulls their own way and need none.) The "
        "others are compared with the default, mean and indicator.",
        ("logistic_regression", "neural_network"),
        missing_values,
        ("missing",),
    ),
}
