"""Evaluate scored grids on a labelled cutoff by the project's protocol.

MAP@10 over all users of user_list is the competition's metric: a user who bought
nothing, or who registered after the cutoff, counts 0. Intervals are 95 % percentile
intervals of a bootstrap over users; differences between models use the same samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ml import metrics
from ml.grid import ScoredGrid
from ml.pairs import in_order_of_hashes, places_of
from ml.warehouse import Warehouse

CHEAP_YEN = 100
#: Points of the curves of precision, recall and lift.
CURVE_STEPS = 20


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
        Users of user_list, candidates or not; of a sample those in it.
    position : ndarray of intp, shape (n_candidate_users,)
        Place of each candidate among all users, in the order of their hashes.
    user_slices : dict of ndarray of bool, shape (n_candidate_users,)
    genre : ndarray of object, shape (n_coupons,)
    is_cheap : ndarray of bool, shape (n_coupons,)
        Whether the coupon costs 100 yen or less.
    was_viewed : ndarray of bool, shape (n_candidate_users, n_coupons)
        Whether the user had looked at the coupon before the cutoff.
    """

    n_users: int
    position: np.ndarray
    user_slices: dict[str, np.ndarray]
    genre: np.ndarray
    is_cheap: np.ndarray
    was_viewed: np.ndarray


@dataclass(frozen=True)
class PerUser:
    """AP@10 of every user of user_list, from which means over weeks are taken.

    Attributes
    ----------
    precision : dict of ndarray of float64, shape (n_users,)
        Per model, in the order of the users' hashes.
    dear_precision : dict of ndarray of float64, shape (n_users,)
        The same among the coupons above 100 yen alone.
    """

    precision: dict[str, np.ndarray]
    dear_precision: dict[str, np.ndarray]


def read_context(warehouse: Warehouse, grid: ScoredGrid) -> Context:
    """Read what the slices need, in the order of the grid."""
    cutoff = [grid.candidates.cutoff]
    with warehouse.registered(
        "evaluated_users", pa.table({"user_id": grid.candidates.user_ids})
    ):
        users = warehouse.table(
            "select user_sex, user_age, is_prefecture_known, n_user_purchases "
            "from features.feature_users inner join evaluated_users using (user_id) "
            "inner join (select user_id, user_hash from core.dim_users) "
            "using (user_id) where cutoff_date = ? order by user_hash",
            cutoff,
        )
        viewed = warehouse.table(
            "select user_id, coupon_id from features.feature_user_coupon_views "
            "inner join evaluated_users using (user_id) where cutoff_date = ?",
            cutoff,
        )
    coupons = warehouse.table(
        "select genre, discount_price_yen from features.feature_coupons "
        "inner join (select coupon_id, coupon_hash from core.dim_coupons) "
        "using (coupon_id) where cutoff_date = ? order by coupon_hash",
        cutoff,
    )
    everyone = grid.sample
    if everyone is None:
        everyone = in_order_of_hashes(warehouse, "user")
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
    was_viewed = np.zeros(grid.candidates.shape, dtype=bool)
    was_viewed[
        places_of(grid.candidates.user_ids, viewed["user_id"].to_numpy()),
        places_of(grid.candidates.coupon_ids, viewed["coupon_id"].to_numpy()),
    ] = True
    return Context(
        len(everyone),
        places_of(everyone, grid.candidates.user_ids),
        slices,
        coupons["genre"].to_numpy(zero_copy_only=False),
        coupons["discount_price_yen"].to_numpy() <= CHEAP_YEN,
        was_viewed,
    )


def evaluate(
    grid: ScoredGrid,
    labels: np.ndarray,
    context: Context,
    thresholds: dict[str, float],
    reference: str,
    random_state: int = 0,
) -> tuple[list[Metric], PerUser]:
    """Measure every model of the grid.

    Parameters
    ----------
    labels : ndarray of bool, shape of the grid
    thresholds
        Per model the probability from which a pair counts as predicted.
    reference
        The model from which the others' MAP@10 is subtracted, with its interval.

    Returns
    -------
    list of Metric
    PerUser
    """
    n_users = context.n_users
    counts = metrics.bootstrap_counts(n_users, metrics.N_BOOTSTRAP, random_state)
    of_candidates = counts[:, context.position]
    dear = np.flatnonzero(~context.is_cheap)
    measured: list[Metric] = []
    per_user = PerUser({}, {})
    for name, scores in grid.scores.items():
        ranking = metrics.top_k(scores)
        precision = metrics.average_precision(ranking, labels)
        dear_precision = metrics.average_precision(
            metrics.top_k(scores[:, dear]), labels[:, dear]
        )
        per_user.precision[name] = _of_everyone(precision, context)
        per_user.dear_precision[name] = _of_everyone(dear_precision, context)
        measured += [
            Metric(name, *row)
            for row in (
                *_ranking_rows(
                    ranking, precision, labels, context, counts, of_candidates
                ),
                _mean_row("above_100_yen", per_user.dear_precision[name], counts),
                *_unviewed_rows(scores, labels, context, counts),
                *_probability_rows(scores, labels, of_candidates),
                *_confusion_rows(scores, labels, thresholds[name], of_candidates),
                *_curve_rows(scores, labels),
                *_sample_rows(grid),
            )
        ]
    for name, precision in per_user.precision.items():
        if name != reference:
            gain = per_user.precision[reference] - precision
            measured.append(
                Metric(
                    reference,
                    "map_at_10_difference",
                    f"to_{name}",
                    *metrics.ratio_interval(gain, np.ones(n_users), counts),
                )
            )
    return measured, per_user


def _sample_rows(grid: ScoredGrid) -> Iterator[tuple]:
    """Yield how many users were drawn, where not all are evaluated."""
    if grid.sample is not None:
        yield ("evaluated_users", "sample", len(grid.sample))


def _of_everyone(values: np.ndarray, context: Context) -> np.ndarray:
    """Return the candidates' values among all users, 0 for those who are none."""
    placed = np.zeros(context.n_users)
    placed[context.position] = values
    return placed


def _mean_row(slice_name: str, precision: np.ndarray, counts: np.ndarray) -> tuple:
    """Return the row of MAP@10 over all users of user_list."""
    everyone = np.ones(len(precision))
    interval = metrics.ratio_interval(precision, everyone, counts)
    return ("map_at_10", slice_name, *interval)


def _unviewed_rows(
    scores: np.ndarray, labels: np.ndarray, context: Context, counts: np.ndarray
) -> Iterator[tuple]:
    """Yield MAP@10 without the pairs that the user had looked at before the cutoff."""
    if not context.was_viewed.any():
        return
    is_new = ~context.was_viewed
    precision = metrics.average_precision(
        metrics.top_k(np.where(is_new, scores, -np.inf)), labels & is_new
    )
    yield _mean_row("not_viewed_before", _of_everyone(precision, context), counts)


def _ranking_rows(
    ranking: np.ndarray,
    precision: np.ndarray,
    labels: np.ndarray,
    context: Context,
    counts: np.ndarray,
    of_candidates: np.ndarray,
) -> Iterator[tuple]:
    is_buyer = labels.any(axis=1)
    yield _mean_row("all", _of_everyone(precision, context), counts)
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
    yield _mean_row(
        "all_but_never_buyers", _of_everyone(precision * had_bought, context), counts
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
    yield ("auc_bin_scores", "sample", histogram.n_scores_for_bins)
    auc = metrics.auc_within_user(scores, labels)
    yield (
        "auc_within_user",
        "buyers",
        *metrics.ratio_interval(
            np.nan_to_num(auc), (~np.isnan(auc)).astype(float), counts
        ),
    )
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
    scores: np.ndarray, labels: np.ndarray, threshold: float, counts: np.ndarray
) -> Iterator[tuple]:
    predicted = scores >= threshold
    found, named, bought = (
        of_pairs.sum(axis=1).astype(float)
        for of_pairs in (predicted & labels, predicted, labels)
    )
    true_positives = int(found.sum())
    false_positives = int(named.sum()) - true_positives
    false_negatives = int(bought.sum()) - true_positives
    true_negatives = labels.size - true_positives - false_positives - false_negatives
    yield ("threshold", "all", threshold)
    yield ("true_positives", "all", true_positives)
    yield ("false_positives", "all", false_positives)
    yield ("false_negatives", "all", false_negatives)
    yield ("true_negatives", "all", true_negatives)
    for name, numerator, denominator in (
        ("precision", found, named),
        ("recall", found, bought),
        ("f1", 2 * found, named + bought),
    ):
        interval = metrics.ratio_interval(numerator, denominator, counts)
        yield (name, "all", *interval)


def _curve_rows(scores: np.ndarray, labels: np.ndarray) -> Iterator[tuple]:
    """Yield pairs named and purchases found, from one twentieth of them to all.

    Precision, recall and lift at each step follow from these and from the number of
    pairs. Thresholds that fall together count once.
    """
    bought = np.sort(scores[labels])[::-1]
    places = np.ceil(len(bought) * np.arange(1, CURVE_STEPS + 1) / CURVE_STEPS)
    thresholds = np.unique(bought[places.astype(int) - 1])[::-1] if len(bought) else ()
    for number, threshold in enumerate(thresholds, start=1):
        step = f"step_{number:02d}"
        yield ("curve_pairs", step, int(np.count_nonzero(scores >= threshold)))
        yield ("curve_purchases", step, int(np.count_nonzero(bought >= threshold)))
