"""Which models are blended, chosen week by week out of sample."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ml import metrics
from ml.judged import MIN_FITTING_WEEKS, read_judged_week
from ml.models import build
from ml.pairs import read_contract, read_training_set
from ml.progress import note
from ml.warehouse import Cutoff, Warehouse

#: Weeks that are predicted. What sells differs so much between weeks that four of them
#: cannot tell a good blend from a lucky one.
N_BLENDING_WEEKS = 8
#: A member is not worth the time that it takes, and is left out, if the blend without
#: it keeps at least this share of the best blend's mean MAP@10, even where what it
#: brings is certain.
MIN_KEPT = 0.995


@dataclass(frozen=True)
class ScoredWeek:
    """What models that knew the earlier weeks alone say of a week's buyers.

    Attributes
    ----------
    user_ids : ndarray of int32, shape (n_buyers,)
    labels : ndarray of bool, shape (n_buyers, n_coupons)
    scores
        Probabilities by model, float32, shape of the labels.
    fit_seconds
        How long each took to fit.
    """

    cutoff: dt.date
    user_ids: np.ndarray
    labels: np.ndarray
    scores: dict[str, np.ndarray]
    fit_seconds: dict[str, float]


@dataclass(frozen=True)
class ChosenBlend:
    """The weights of a blend, which sum to 1, and the mean MAP@10 that they reach.

    Attributes
    ----------
    mean_map_at_10
        Of each model alone.
    is_surely_better
        Whether the blend beats the best of them by a paired interval above zero.
    """

    weights: dict[str, float]
    blend_map_at_10: float
    mean_map_at_10: dict[str, float]
    is_surely_better: bool


def blending_weeks(cutoffs: Sequence[Cutoff]) -> list[dt.date]:
    """Return the last selection weeks that have enough of them before to fit on."""
    weeks = [c.date for c in cutoffs if c.is_labelled and c.is_selection]
    return weeks[MIN_FITTING_WEEKS:][-N_BLENDING_WEEKS:]


def score_weeks(
    warehouse: Warehouse,
    weeks: Sequence[dt.date],
    settings: Mapping[str, tuple[str, dict]],
    random_state: int,
) -> list[ScoredWeek]:
    """Score each week by models that are fitted on the selection weeks before it.

    Parameters
    ----------
    settings
        Model and hyper-parameters of what is scored, by any name.
    """
    cutoffs = [c.date for c in warehouse.cutoffs() if c.is_labelled and c.is_selection]
    found = []
    for week in weeks:
        earlier = [day for day in cutoffs if day < week]
        contract = read_contract(warehouse, earlier)
        training = read_training_set(warehouse, contract, earlier)
        judged = read_judged_week(warehouse, contract, week)
        scores, seconds = {}, {}
        for label, (name, parameters) in settings.items():
            started = time.perf_counter()
            model = build(name, parameters, random_state).fit(training)
            seconds[label] = time.perf_counter() - started
            scores[label] = judged.predict(model)
        found.append(ScoredWeek(week, judged.user_ids, judged.labels, scores, seconds))
        note(str(week))
    return found


def map_at_10(
    weeks: Sequence[ScoredWeek], members: Sequence[str], n_users: int
) -> list[float]:
    """Return each week's MAP@10 over all users under the mean of some models."""
    return _by_week(_precision(weeks, members), n_users)


def choose_blend(
    weeks: Sequence[ScoredWeek], n_users: int, random_state: int = 0
) -> ChosenBlend:
    """Choose which models to average: the fewest that are as good as any, or nearly.

    All members weigh the same. Eight weeks cannot tell one weight from another, and a
    member that goes wrong in a later week then is one of several.

    Parameters
    ----------
    n_users
        Registered users, those who bought nothing included.
    random_state
        Seed of the samples of users that the interval is taken of.
    """
    names = list(weeks[0].scores)
    precisions = {
        members: _precision(weeks, members)
        for n_members in range(1, len(names) + 1)
        for members in combinations(names, n_members)
    }
    means = {
        members: float(np.mean(_by_week(found, n_users)))
        for members, found in precisions.items()
    }
    strongest = max(((name,) for name in names), key=means.__getitem__)
    enough = max(MIN_KEPT * max(means.values()), means[strongest])
    chosen = min(
        (members for members, mean in means.items() if mean >= enough),
        key=lambda members: (len(members), -means[members]),
    )
    return ChosenBlend(
        dict.fromkeys(chosen, 1 / len(chosen)),
        means[chosen],
        {name: means[name,] for name in names},
        _is_surely_better(
            precisions[chosen], precisions[strongest], weeks, random_state
        ),
    )


def _is_surely_better(
    new: list[np.ndarray],
    old: list[np.ndarray],
    weeks: Sequence[ScoredWeek],
    random_state: int,
) -> bool:
    """Whether the paired interval of the gain in AP over the buyers is above zero."""
    users, position = np.unique(
        np.concatenate([week.user_ids for week in weeks]), return_inverse=True
    )
    gain = np.bincount(position, np.concatenate(new) - np.concatenate(old))
    samples = metrics.bootstrap_counts(len(users), metrics.N_BOOTSTRAP, random_state)
    _, low, _ = metrics.ratio_interval(gain, np.ones(len(gain)), samples)
    return bool(low > 0)


def _precision(weeks: Sequence[ScoredWeek], members: Sequence[str]) -> list[np.ndarray]:
    """Return AP@10 of each week's buyers under the mean of some models."""
    return [
        metrics.average_precision(
            # the order of a sum is that of the mean
            metrics.top_k(sum(week.scores[name] for name in members)),
            week.labels,
        )
        for week in weeks
    ]


def _by_week(precision: Sequence[np.ndarray], n_users: int) -> list[float]:
    return [float(of_week.sum() / n_users) for of_week in precision]
