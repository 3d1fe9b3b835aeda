"""A challenger against the champion: both fitted week by week, compared in pairs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ml import metrics
from ml.judged import read_judged_week
from ml.models import build
from ml.pairs import (
    in_order_of_hashes,
    places_of,
    read_contract,
    read_training_set,
)
from ml.progress import note, step
from ml.recipes import Recipe
from ml.warehouse import Warehouse, WarehouseError

#: One good week is chance.
MIN_JUDGED_WEEKS = 2
#: Weeks that both are fitted on at least, before the first judged one.
MIN_FITTING_WEEKS = 2


@dataclass(frozen=True)
class Verdict:
    """MAP@10 of both over all users, and challenger minus champion with interval.

    Attributes
    ----------
    weeks
        The judged weeks that the means are taken over.
    """

    weeks: tuple[dt.date, ...]
    n_users: int
    champion: float
    challenger: float
    difference: float
    low: float
    high: float

    @property
    def is_promotion(self) -> bool:
        """Whether the challenger takes over: better in the interval's worse end."""
        return len(self.weeks) >= MIN_JUDGED_WEEKS and self.low > 0


def weeks_to_judge(labelled: Sequence[dt.date], n_weeks: int) -> list[dt.date]:
    """Return the last labelled cutoffs.

    Raises
    ------
    WarehouseError
        There are too few of them, with weeks before them to learn from.
    """
    possible = sorted(labelled)[MIN_FITTING_WEEKS:]
    if n_weeks > len(possible):
        raise WarehouseError(
            f"{n_weeks} weeks are to be judged, but only {len(possible)} labelled "
            f"weeks have {MIN_FITTING_WEEKS} before them to learn from: ask for fewer "
            "--weeks, or bring more into use with `dbt build --vars '{n_cutoffs: 52}'`."
        )
    return possible[-n_weeks:]


def precision_by_week(
    warehouse: Warehouse,
    recipes: Sequence[Recipe],
    labelled: Sequence[dt.date],
    judged: Sequence[dt.date],
    random_state: int,
) -> np.ndarray:
    """Fit every recipe on the weeks before each judged one and rank that.

    Returns
    -------
    ndarray of float64, shape (n_weeks, n_recipes, n_users)
        AP@10 of all users of user_list, in the order of their hashes; who bought no
        candidate has 0.
    """
    user_ids = in_order_of_hashes(warehouse, "user")
    found = np.zeros((len(judged), len(recipes), len(user_ids)))
    for of_week, day in zip(found, judged, strict=True):
        with step(f"comparing on the week from {day}"):
            earlier = [week for week in labelled if week < day]
            contract = read_contract(warehouse, earlier)
            training = read_training_set(warehouse, contract, earlier)
            week = read_judged_week(warehouse, contract, day)
            place = places_of(user_ids, week.user_ids)
            for of_recipe, recipe in zip(of_week, recipes, strict=True):
                model = build(recipe.model_name, recipe.parameters, random_state)
                of_recipe[place] = week.average_precision(model.fit(training))
                note(f"{recipe.recipe_id} {of_recipe.mean():.5f}")
    return found


def judge(
    precision: np.ndarray, weeks: Sequence[dt.date], random_state: int = 0
) -> list[Verdict]:
    """Compare the second recipe with the first: over all weeks, then week by week.

    Bootstrap samples draw users with all of their weeks: those of one user are not
    independent of each other.

    Parameters
    ----------
    precision : ndarray, shape (n_weeks, 2, n_users)
        See :func:`precision_by_week`.
    """
    n_users = precision.shape[2]
    counts = metrics.bootstrap_counts(n_users, metrics.N_BOOTSTRAP, random_state)
    everyone = np.ones(n_users)

    def verdict(chosen: slice) -> Verdict:
        champion, challenger = precision[chosen].mean(axis=0)
        difference = metrics.ratio_interval(challenger - champion, everyone, counts)
        return Verdict(
            tuple(weeks[chosen]),
            n_users,
            float(champion.mean()),
            float(challenger.mean()),
            *difference,
        )

    single = [slice(number, number + 1) for number in range(len(weeks))]
    return [verdict(slice(None)), *(verdict(week) for week in single)]
