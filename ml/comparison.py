"""A model fitted in several ways, judged on the same weeks and users."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ml import metrics
from ml.judged import JudgedWeek
from ml.models import PurchaseModel
from ml.pairs import TrainingSet, places_of
from ml.progress import note
from ml.questions import Option


@dataclass(frozen=True)
class Fit:
    """What one option was fitted on, and each user's AP@10 under it.

    Attributes
    ----------
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
) -> Fit:
    """Fit on the option's pairs and rank the judged weeks.

    Parameters
    ----------
    build
        Returns an unfitted model with these hyper-parameters on top of its own.
    user_ids : ndarray
        All users of user_list, in the order of their hashes.
    """
    rows = option.rows(training)
    used = training if rows.all() else training.take(rows)
    started = time.perf_counter()
    model = build(option.parameters).fit(used)
    seconds = time.perf_counter() - started
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
