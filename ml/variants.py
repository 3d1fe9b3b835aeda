"""A model without a group of features, or with it alone: fitted, scored, compared."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ml import metrics
from ml.models import PurchaseModel
from ml.neutral import neutralised
from ml.pairs import FeatureContract, Features, TrainingSet
from ml.progress import note

FULL = "full"


@dataclass(frozen=True)
class Variant:
    """Which features a model sees.

    Attributes
    ----------
    kind
        ``full``, ``without`` the group, or the group ``alone``.
    dropped
        Features that it does not see.
    """

    kind: str
    group: str
    dropped: frozenset[str]
    n_features: int


@dataclass(frozen=True)
class FittedVariant:
    """A variant with its model."""

    variant: Variant
    model: PurchaseModel
    fit_seconds: float


@dataclass(frozen=True)
class JudgedWeek:
    """Scores of every variant for some users of one week.

    Attributes
    ----------
    user : ndarray of intp, shape (n,)
        Place of each user among all users.
    labels : ndarray of bool, shape (n, n_coupons)
    scores : list of ndarray of float32, shape (n, n_coupons)
        In the order of the variants.
    is_buyer, is_sampled : ndarray of bool, shape (n,)
        Who bought a candidate that week, and whose pairs the AUC is taken of.
    """

    cutoff: dt.date
    user: np.ndarray
    labels: np.ndarray
    scores: list[np.ndarray]
    is_buyer: np.ndarray
    is_sampled: np.ndarray


@dataclass(frozen=True)
class Outcome:
    """A metric of one variant and its difference to the full model, with interval."""

    variant: Variant
    metric: str
    value: float
    difference: float
    low: float
    high: float
    n_users: int


def variants_of(contract: FeatureContract, with_alone: bool = False) -> list[Variant]:
    """Return the full model, then each group left out, then each alone if wanted."""
    everything = frozenset(contract.names)
    found = [Variant(FULL, "all", frozenset(), len(everything))]
    groups = dict.fromkeys(contract.groups[name] for name in contract.names)
    for kind in ("without", "alone") if with_alone else ("without",):
        for group in sorted(groups):
            of_group = {name for name in everything if contract.groups[name] == group}
            dropped = of_group if kind == "without" else everything - of_group
            n_features = len(everything) - len(dropped)
            found.append(Variant(kind, group, frozenset(dropped), n_features))
    return found


def fit_variants(
    training: TrainingSet,
    variants: Iterable[Variant],
    build: Callable[[], PurchaseModel],
) -> list[FittedVariant]:
    """Fit one model per variant on the same pairs, which are read only once."""
    fitted = []
    for variant in variants:
        started = time.perf_counter()
        with neutralised(training.features, variant.dropped):
            model = build().fit(training)
        seconds = time.perf_counter() - started
        fitted.append(FittedVariant(variant, model, seconds))
        note(f"{variant.kind} {variant.group} {seconds:.0f} s")
    return fitted


def score_variants(
    fitted: Sequence[FittedVariant],
    batches: Iterable[tuple[np.ndarray, np.ndarray, Features]],
    shape: tuple[int, int],
) -> list[np.ndarray]:
    """Score a grid with every variant in one pass over its pairs.

    Parameters
    ----------
    batches
        Row in the grid, column in the grid and features of each pair.
    """
    scores = [np.full(shape, np.nan, np.float32) for _ in fitted]
    for rows, columns, features in batches:
        for grid, one in zip(scores, fitted, strict=True):
            with neutralised(features, one.variant.dropped):
                grid[rows, columns] = one.model.predict(features)
    if any(np.isnan(grid).any() for grid in scores):
        raise RuntimeError("ml.scoring_pairs lacks pairs of the grid.")
    return scores


def compare(
    variants: Sequence[Variant],
    weeks: Sequence[JudgedWeek],
    n_users: int,
    sampled_users: np.ndarray,
    random_state: int = 0,
) -> list[Outcome]:
    """Return MAP@10 and AUC of each variant against the first, the full model.

    MAP@10 is taken over all users and weeks: who is not among a week's buyers has 0.
    AUC is that of all pairs of the sampled users, the mean over the weeks. Bootstrap
    samples draw users with all of their weeks, the same for every variant.

    Parameters
    ----------
    sampled_users : ndarray of intp
        Places of the users whose pairs the AUC is taken of, ascending.
    """
    counts = metrics.bootstrap_counts(n_users, metrics.N_BOOTSTRAP, random_state)
    outcomes = _compare_map(variants, _precisions(variants, weeks, n_users), counts)
    counts = metrics.bootstrap_counts(
        len(sampled_users), metrics.N_BOOTSTRAP, random_state
    )
    samples = _auc_samples(variants, weeks, sampled_users, counts)
    for variant, values in zip(variants, samples, strict=True):
        difference = values - samples[0]
        low, high = metrics.percentile_interval(difference[1:])
        outcomes.append(
            _outcome(
                *(variant, "auc", values[0], difference[0], low, high),
                n_users=len(sampled_users),
            )
        )
    return outcomes


def _precisions(
    variants: Sequence[Variant], weeks: Sequence[JudgedWeek], n_users: int
) -> np.ndarray:
    """Return each user's AP@10, the mean over the weeks, per variant."""
    precisions = np.zeros((len(variants), n_users))
    for week in weeks:
        buyers = week.is_buyer
        for precision, scores in zip(precisions, week.scores, strict=True):
            ranking = metrics.top_k(scores[buyers])
            precision[week.user[buyers]] += metrics.average_precision(
                ranking, week.labels[buyers]
            ) / len(weeks)
    return precisions


def _compare_map(
    variants: Sequence[Variant], precisions: np.ndarray, counts: np.ndarray
) -> list[Outcome]:
    n_users = precisions.shape[1]
    everyone = np.ones(n_users)
    return [
        _outcome(
            variant,
            "map_at_10",
            precision.mean(),
            *metrics.ratio_interval(precision - precisions[0], everyone, counts),
            n_users=n_users,
        )
        for variant, precision in zip(variants, precisions, strict=True)
    ]


def _auc_samples(
    variants: Sequence[Variant],
    weeks: Sequence[JudgedWeek],
    sampled_users: np.ndarray,
    counts: np.ndarray,
) -> np.ndarray:
    """Return the mean AUC over the weeks of the users, then of each sample."""
    total = np.zeros((len(variants), 1 + len(counts)))
    n_defined = np.zeros_like(total)
    for week in weeks:
        rows = week.is_sampled
        # who was not yet registered has no pairs in that week
        of_week = counts[:, np.searchsorted(sampled_users, week.user[rows])]
        labels = week.labels[rows]
        for i, scores in enumerate(week.scores):
            auc = metrics.ScoreHistogram(scores[rows], labels).samples(of_week)["auc"]
            is_defined = ~np.isnan(auc)
            total[i] += np.where(is_defined, auc, 0.0)
            n_defined[i] += is_defined
    return np.divide(
        total, n_defined, out=np.full_like(total, np.nan), where=n_defined > 0
    )


def _outcome(
    variant: Variant,
    metric: str,
    value: float,
    difference: float,
    low: float,
    high: float,
    n_users: int,
) -> Outcome:
    if variant.kind == FULL:
        difference = low = high = float("nan")
    return Outcome(
        *(variant, metric, float(value), float(difference), float(low), float(high)),
        n_users=n_users,
    )


def by_variant(outcomes: Iterable[Outcome]) -> Mapping[Variant, dict[str, Outcome]]:
    """Return the outcomes of each variant by metric."""
    found: dict[Variant, dict[str, Outcome]] = {}
    for outcome in outcomes:
        found.setdefault(outcome.variant, {})[outcome.metric] = outcome
    return found
