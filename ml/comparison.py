"""A model fitted in several ways, judged on the same weeks and users."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ml import metrics
from ml.chosen import parameters_text
from ml.judged import JudgedWeek
from ml.models import PurchaseModel
from ml.models.blend import Blend
from ml.pairs import TrainingSet, places_of
from ml.progress import note
from ml.questions import Option

#: Models that were fitted on the same pairs, by name and settings, with their seconds.
Known = dict[tuple[str, str], tuple[PurchaseModel, float]]


@dataclass(frozen=True)
class Fit:
    """What one option was fitted on, and each user's AP@10 under it.

    Attributes
    ----------
    seconds
        Of a blend with its members.
    precision : ndarray of float64, shape (n_users,)
        Mean over the judged weeks, 0 for weeks without a purchase.
    """

    option: Option
    n_weeks: int
    n_users: int
    n_pairs: int
    seconds: float
    precision: np.ndarray


@dataclass(frozen=True)
class Outcome:
    """MAP@10 of an option and its difference to the first, each with its interval.

    Attributes
    ----------
    value, difference
        Value, lower and upper bound of the 95 % interval; the difference is NaN for the
        first option itself.
    """

    fit: Fit
    value: tuple[float, float, float]
    difference: tuple[float, float, float]

    @property
    def is_worse(self) -> bool:
        """Whether the whole interval of the difference lies below 0."""
        return self.difference[2] < 0

    @property
    def is_better(self) -> bool:
        """Whether the whole interval of the difference lies above 0."""
        return self.difference[1] > 0


def fit_option(
    training: TrainingSet,
    option: Option,
    build: Callable[[dict], PurchaseModel],
    weeks: Sequence[JudgedWeek],
    user_ids: np.ndarray,
    known: Known,
) -> Fit:
    """Fit on the option's pairs and rank the judged weeks.

    Parameters
    ----------
    build
        Returns an unfitted model with these hyper-parameters on top of its own.
    user_ids : ndarray
        All users of user_list, in the order of their hashes.
    known
        What was fitted on the option's pairs before; what is fitted now is added.
    """
    rows = option.rows(training)
    used = training if rows.all() else training.take(rows)
    model, seconds = _fitted(build(option.parameters), used, known)
    precision = np.zeros(len(user_ids))
    for week in weeks:
        place = places_of(user_ids, week.user_ids)
        precision[place] += week.average_precision(model) / len(weeks)
    note(f"{option.name} {precision.mean():.5f} {seconds:.0f} s")
    return Fit(
        option,
        option.weeks_used(training),
        len(np.unique(used.user_id)),
        len(used),
        seconds,
        precision,
    )


def _fitted(
    model: PurchaseModel, training: TrainingSet, known: Known
) -> tuple[PurchaseModel, float]:
    """Return the model fitted, and its seconds; one that is known is not fitted again.

    A blend takes over its members, so that several blends share theirs.
    """
    key = (model.name, parameters_text(model.parameters()))
    if key not in known:
        of_members = 0.0
        if isinstance(model, Blend):
            members = {
                name: _fitted(member, training, known)
                for name, member in model.unfitted().items()
            }
            model.adopt({name: member for name, (member, _) in members.items()})
            of_members = sum(seconds for _, seconds in members.values())
        started = time.perf_counter()
        model.fit(training)
        known[key] = (model, time.perf_counter() - started + of_members)
    return known[key]


def compare(fits: Sequence[Fit], random_state: int = 0) -> list[Outcome]:
    """Return MAP@10 over all users of each fit, and its difference to the first.

    Bootstrap samples draw users with all of their weeks, the same for every fit.
    """
    n_users = len(fits[0].precision)
    counts = metrics.bootstrap_counts(n_users, metrics.N_BOOTSTRAP, random_state)
    everyone = np.ones(n_users)
    unknown = (float("nan"),) * 3
    return [
        Outcome(
            fit,
            metrics.ratio_interval(fit.precision, everyone, counts),
            metrics.ratio_interval(fit.precision - fits[0].precision, everyone, counts)
            if number
            else unknown,
        )
        for number, fit in enumerate(fits)
    ]
