"""Which models are blended and by which weights, chosen week by week out of sample."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

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
#: Models that are added to a blend at most; a weight is a share of those added.
N_STEPS = 20
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
    """

    user_ids: np.ndarray
    labels: np.ndarray
    scores: dict[str, np.ndarray]


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
    parameters: Mapping[str, dict],
    random_state: int,
) -> list[ScoredWeek]:
    """Score each week by models that are fitted on the selection weeks before it.

    Parameters
    ----------
    parameters
        Hyper-parameters by model.
    """
    cutoffs = [c.date for c in warehouse.cutoffs() if c.is_labelled and c.is_selection]
    found = []
    for week in weeks:
        earlier = [day for day in cutoffs if day < week]
        contract = read_contract(warehouse, earlier)
        training = read_training_set(warehouse, contract, earlier)
        judged = read_judged_week(warehouse, contract, week)
        scores = {
            name: judged.predict(build(name, chosen, random_state).fit(training))
            for name, chosen in parameters.items()
        }
        found.append(ScoredWeek(judged.user_ids, judged.labels, scores))
        note(str(week))
    return found


def choose_blend(
    weeks: Sequence[ScoredWeek], n_users: int, random_state: int = 0
) -> ChosenBlend:
    """Add the model that helps most, again and again; weights are how often each came.

    Ensemble selection with replacement: the first is the best model, and a model may be
    added more than once. Of all blends on the way the best one is taken. Then members
    that are hardly missed are left out, the least missed one first, and the weights of
    the others chosen anew, as long as no single model is better.

    Source: Caruana, Niculescu-Mizil, Crew and Ksikes, "Ensemble selection from
    libraries of models", ICML 2004.

    Parameters
    ----------
    n_users
        Registered users, those who bought nothing included.
    random_state
        Seed of the samples of users that the interval is taken of.
    """
    names = list(weeks[0].scores)
    alone = {
        name: _precision([week.scores[name] for week in weeks], weeks) for name in names
    }
    mean = {name: _mean(alone[name], n_users) for name in names}
    strongest = max(mean, key=mean.__getitem__)
    blend = _select(weeks, names, n_users)
    best = blend.value
    while len(blend.weights) > 1:
        fewer = max(
            (
                _select(weeks, [n for n in blend.weights if n != left_out], n_users)
                for left_out in blend.weights
            ),
            key=lambda found: found.value,
        )
        best = max(best, fewer.value)
        if fewer.value < max(MIN_KEPT * best, mean[strongest]):
            break
        blend = fewer
    return ChosenBlend(
        blend.weights,
        blend.value,
        mean,
        _is_surely_better(blend.precision, alone[strongest], weeks, random_state),
    )


class _Selected(NamedTuple):
    """Weights, mean MAP@10 and buyers' AP by week."""

    weights: dict[str, float]
    value: float
    precision: list[np.ndarray]


def _select(
    weeks: Sequence[ScoredWeek], names: Sequence[str], n_users: int
) -> _Selected:
    """Return the best blend of some models."""
    added: list[str] = []
    total = [np.zeros(week.labels.shape, np.float32) for week in weeks]
    best: tuple[float, list[str], list[np.ndarray]] = (-1.0, [], [])
    for _ in range(N_STEPS):
        # the order of a sum is that of the mean
        sums = {
            name: [
                of_blend + week.scores[name]
                for of_blend, week in zip(total, weeks, strict=True)
            ]
            for name in names
        }
        precisions = {name: _precision(sums[name], weeks) for name in names}
        means = {name: _mean(precisions[name], n_users) for name in names}
        name = max(names, key=means.__getitem__)
        added.append(name)
        total = sums[name]
        if means[name] > best[0]:
            best = (means[name], list(added), precisions[name])
    value, members, precision = best
    weights = {
        name: members.count(name) / len(members) for name in dict.fromkeys(members)
    }
    return _Selected(weights, value, precision)


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


def _precision(
    scores: list[np.ndarray], weeks: Sequence[ScoredWeek]
) -> list[np.ndarray]:
    return [
        metrics.average_precision(metrics.top_k(of_week), week.labels)
        for of_week, week in zip(scores, weeks, strict=True)
    ]


def _mean(precision: list[np.ndarray], n_users: int) -> float:
    return float(np.mean([of_week.sum() / n_users for of_week in precision]))
