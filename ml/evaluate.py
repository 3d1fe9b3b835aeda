"""Evaluate scored grids on a labelled cutoff by the project's protocol.

MAP@10 over all users of user_list is the competition's metric: a user who bought
nothing, or who registered after the cutoff, counts 0. Intervals are 95 % percentile
intervals of a bootstrap over users; differences between models use the same samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ml import metrics
from ml.grid import ScoredGrid
from ml.warehouse import Warehouse

CHEAP_YEN = 100


@dataclass(frozen=True)
class Metric:
    """One row of ``ml.model_metrics``, without the run."""

    model_name: str
    metric: str
    slice: str
    value: float
    low: float = float("nan")
    high: float = float("nan")


@dataclass(frozen=True)
class Context:
    """What is known about the users and coupons of a grid, for slices.

    Attributes
    ----------
    n_users : int
        Users of user_list, candidates or not.
    user_slices : dict of ndarray of bool, shape (n_candidate_users,)
    genre : ndarray of object, shape (n_coupons,)
    is_cheap : ndarray of bool, shape (n_coupons,)
        Whether the coupon costs 100 yen or less.
    """

    n_users: int
    user_slices: dict[str, np.ndarray]
    genre: np.ndarray
    is_cheap: np.ndarray


def read_context(warehouse: Warehouse, grid: ScoredGrid) -> Context:
    """Read what the slices need, in the order of the grid."""
    cutoff = [grid.candidates.cutoff]
    users = warehouse.table(
        "select user_sex, user_age, is_prefecture_known, n_user_purchases "
        "from features.feature_users where cutoff_date = ? order by user_id",
        cutoff,
    )
    coupons = warehouse.table(
        "select genre, discount_price_yen from features.feature_coupons "
        "where cutoff_date = ? order by coupon_id",
        cutoff,
    )
    ((n_users,),) = warehouse.rows("select count(*) from core.dim_users")
    sex, age, known, history = (
        users[name].to_numpy(zero_copy_only=False) for name in users.column_names
    )
    slices = {
        "prefecture_known": known.astype(bool),
        "prefecture_unknown": ~known.astype(bool),
    }
    for value in ("female", "male"):
        slices[f"sex_{value}"] = sex == value
    for low, high in ((0, 30), (31, 40), (41, 50), (51, 60), (61, 200)):
        name = f"age_{low}_{high}" if high < 200 else f"age_{low}_plus"
        slices[name] = (age >= low) & (age <= high)
    for low, high in ((0, 0), (1, 2), (3, 9), (10, 10**9)):
        name = f"purchases_{low}_{high}" if high < 10**9 else f"purchases_{low}_plus"
        if low == high:
            name = f"purchases_{low}"
        slices[name] = (history >= low) & (history <= high)
    return Context(
        n_users,
        slices,
        coupons["genre"].to_numpy(zero_copy_only=False),
        coupons["discount_price_yen"].to_numpy() <= CHEAP_YEN,
    )


def evaluate(
    grid: ScoredGrid,
    labels: np.ndarray,
    context: Context,
    thresholds: dict[str, float],
    reference: str,
    random_state: int = 0,
) -> list[Metric]:
    """Measure every model of the grid.

    Parameters
    ----------
    labels : ndarray of bool, shape of the grid
    thresholds
        Per model the probability from which a pair counts as predicted.
    reference
        The model from which the others' MAP@10 is subtracted, with its interval.
    """
    counts = metrics.bootstrap_counts(
        context.n_users, metrics.N_BOOTSTRAP, random_state
    )
    n_candidates = len(labels)
    of_candidates = counts[:, :n_candidates]
    measured: list[Metric] = []
    precisions: dict[str, np.ndarray] = {}
    for name, scores in grid.scores.items():
        ranking = metrics.top_k(scores)
        precisions[name] = metrics.average_precision(ranking, labels)
        measured += [
            Metric(name, *row)
            for row in (
                *_ranking_rows(
                    scores, ranking, precisions[name], labels, context, counts
                ),
                *_probability_rows(scores, labels, of_candidates),
                *_confusion_rows(scores, labels, thresholds[name]),
            )
        ]
    everyone = np.ones(context.n_users)
    for name, precision in precisions.items():
        if name != reference:
            difference = _padded(precisions[reference] - precision, context.n_users)
            measured.append(
                Metric(
                    reference,
                    "map_at_10_difference",
                    f"to_{name}",
                    *metrics.ratio_interval(difference, everyone, counts),
                )
            )
    return measured


def _padded(values: np.ndarray, n_users: int) -> np.ndarray:
    """Append zeros for users of user_list who are no candidates."""
    return np.concatenate([values, np.zeros(n_users - len(values))])


def _ranking_rows(
    scores: np.ndarray,
    ranking: np.ndarray,
    precision: np.ndarray,
    labels: np.ndarray,
    context: Context,
    counts: np.ndarray,
) -> Iterator[tuple]:
    n_users = context.n_users
    of_candidates = counts[:, : len(labels)]
    is_buyer = labels.any(axis=1)
    yield (
        "map_at_10",
        "all",
        *metrics.ratio_interval(_padded(precision, n_users), np.ones(n_users), counts),
    )
    yield (
        "map_at_10",
        "buyers",
        *metrics.ratio_interval(precision, is_buyer.astype(float), of_candidates),
    )
    recall = np.nan_to_num(metrics.recall(ranking, labels))
    yield (
        "recall_at_10",
        "buyers",
        *metrics.ratio_interval(recall, is_buyer.astype(float), of_candidates),
    )
    for name, members in context.user_slices.items():
        yield (
            "map_at_10",
            name,
            *metrics.ratio_interval(
                precision * members, members.astype(float), of_candidates
            ),
        )
    had_bought = ~context.user_slices["purchases_0"]
    yield (
        "map_at_10",
        "all_but_never_buyers",
        *metrics.ratio_interval(
            _padded(precision * had_bought, n_users), np.ones(n_users), counts
        ),
    )
    dear = np.flatnonzero(~context.is_cheap)
    dear_precision = metrics.average_precision(
        metrics.top_k(scores[:, dear]), labels[:, dear]
    )
    yield (
        "map_at_10",
        "above_100_yen",
        *metrics.ratio_interval(
            _padded(dear_precision, n_users), np.ones(n_users), counts
        ),
    )
    shown = np.zeros_like(labels)
    np.put_along_axis(shown, ranking, True, axis=1)
    for genre in sorted(set(context.genre)):
        of_genre = context.genre == genre
        bought = labels[:, of_genre].sum(axis=1).astype(float)
        hits = (labels & shown)[:, of_genre].sum(axis=1).astype(float)
        if bought.any():
            yield (
                "purchases_recalled_at_10",
                f"genre_{genre}",
                *metrics.ratio_interval(hits, bought, of_candidates),
            )


def _probability_rows(
    scores: np.ndarray, labels: np.ndarray, counts: np.ndarray
) -> Iterator[tuple]:
    histogram = metrics.ScoreHistogram(scores, labels)
    for name, interval in histogram.intervals(counts).items():
        yield (name, "all", *interval)
    pairs = np.full(len(labels), labels.shape[1], dtype=float)
    for name, sums in (
        ("log_loss", metrics.log_loss_sums(scores, labels)),
        ("brier", metrics.brier_sums(scores, labels)),
    ):
        yield (name, "all", *metrics.ratio_interval(sums, pairs, counts))
    for number, (predicted, observed, n_pairs) in enumerate(
        metrics.calibration_bins(scores, labels), start=1
    ):
        yield ("calibration_predicted", f"bin_{number:02d}", predicted)
        yield ("calibration_observed", f"bin_{number:02d}", observed)
        yield ("calibration_pairs", f"bin_{number:02d}", n_pairs)


def _confusion_rows(
    scores: np.ndarray, labels: np.ndarray, threshold: float
) -> Iterator[tuple]:
    predicted = scores >= threshold
    true_positives = int((predicted & labels).sum())
    false_positives = int(predicted.sum()) - true_positives
    false_negatives = int(labels.sum()) - true_positives
    true_negatives = labels.size - true_positives - false_positives - false_negatives
    named = true_positives + false_positives
    bought = true_positives + false_negatives
    yield ("threshold", "all", threshold)
    yield ("true_positives", "all", true_positives)
    yield ("false_positives", "all", false_positives)
    yield ("false_negatives", "all", false_negatives)
    yield ("true_negatives", "all", true_negatives)
    yield ("precision", "all", true_positives / named if named else float("nan"))
    yield ("recall", "all", true_positives / bought if bought else float("nan"))
    yield ("f1", "all", 2 * true_positives / max(named + bought, 1))
