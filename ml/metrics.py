"""Ranking and probability metrics on the full grid of users by coupons.

Every metric is built from sums per user, so that one bootstrap over users serves all
of them, and so that differences between models are paired.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

TOP_K = 10
#: Samples that an interval is taken of.
N_BOOTSTRAP = 500


def top_k(scores: np.ndarray, k: int = TOP_K) -> np.ndarray:
    """Return the columns of the k best scores of each row, best first.

    Parameters
    ----------
    scores : ndarray, shape (n_users, n_coupons)
        Ties go to the lower column: columns are in the order of ``coupon_hash``.

    Returns
    -------
    ndarray of intp, shape (n_users, min(k, n_coupons))
    """
    n_users, n_coupons = scores.shape
    if n_coupons <= k:
        return np.argsort(-scores, axis=1, kind="stable")
    lowest = np.partition(scores, n_coupons - k, axis=1)[:, [n_coupons - k]]
    is_above, is_tied = scores > lowest, scores == lowest
    n_free = k - is_above.sum(axis=1, keepdims=True, dtype=np.int32)
    is_chosen = is_above | (
        is_tied & (np.cumsum(is_tied, axis=1, dtype=np.int32) <= n_free)
    )
    columns = np.nonzero(is_chosen)[1].reshape(n_users, k)
    chosen = np.take_along_axis(scores, columns, axis=1)
    order = np.argsort(-chosen, axis=1, kind="stable")
    return np.take_along_axis(columns, order, axis=1)


def average_precision(
    ranking: np.ndarray, labels: np.ndarray, k: int = TOP_K
) -> np.ndarray:
    """Average precision at k of each user, as the competition defines it.

    AP@k is the sum over the hits among the first k of (hits up to there / position),
    divided by min(number bought, k); it is 0 for a user who bought nothing. Source:
    the competition's evaluation page, Mean Average Precision @ 10.

    Parameters
    ----------
    ranking : ndarray of int, shape (n_users, >= k or all coupons)
        Columns of ``labels``, best first.
    labels : ndarray of bool, shape (n_users, n_coupons)

    Returns
    -------
    ndarray of float64, shape (n_users,)
    """
    hits = np.take_along_axis(labels, ranking[:, :k], axis=1)
    positions = np.arange(1, hits.shape[1] + 1)
    precision = np.cumsum(hits, axis=1) / positions
    bought = np.minimum(labels.sum(axis=1), k)
    return np.divide(
        (precision * hits).sum(axis=1),
        bought,
        out=np.zeros(len(labels)),
        where=bought > 0,
    )


def recall(ranking: np.ndarray, labels: np.ndarray, k: int = TOP_K) -> np.ndarray:
    """Share of each user's purchases among the first k, shape (n_users,).

    NaN for a user who bought nothing.
    """
    hits = np.take_along_axis(labels, ranking[:, :k], axis=1).sum(axis=1)
    bought = labels.sum(axis=1)
    return np.divide(hits, bought, out=np.full(len(labels), np.nan), where=bought > 0)


def auc_within_user(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the AUC among each user's own coupons, shape (n_users,).

    The share of pairs of a bought and another coupon of which the bought one has the
    higher score; ties count half. NaN for a user who bought nothing or everything.
    """
    n_bought = labels.sum(axis=1)
    n_others = labels.shape[1] - n_bought
    found = np.full(len(labels), np.nan)
    known = np.flatnonzero((n_bought > 0) & (n_others > 0))
    if len(known):
        ranks = rankdata(scores[known], axis=1)
        bought = n_bought[known]
        # least that the ranks of so many coupons sum to
        least = bought * (bought + 1) / 2
        above = (ranks * labels[known]).sum(axis=1) - least
        found[known] = above / (bought * n_others[known])
    return found


def bootstrap_counts(n_users: int, n_samples: int, random_state: int) -> np.ndarray:
    """How often each user is drawn in each bootstrap sample.

    Returns
    -------
    ndarray of float64, shape (n_samples, n_users)
        Each row sums to ``n_users``.
    """
    generator = np.random.default_rng(random_state)
    counts = np.empty((n_samples, n_users))
    for sample in counts:
        drawn = generator.integers(n_users, size=n_users)
        sample[:] = np.bincount(drawn, minlength=n_users)
    return counts


def ratio_interval(
    numerator: np.ndarray,
    denominator: np.ndarray,
    counts: np.ndarray,
    level: float = 0.95,
) -> tuple[float, float, float]:
    """Ratio of two sums over users with its bootstrap percentile interval.

    Parameters
    ----------
    numerator, denominator : ndarray, shape (n_users,)
    counts : ndarray, shape (n_samples, n_users)
        From :func:`bootstrap_counts`.

    Returns
    -------
    tuple of float
        Value, lower and upper bound; NaN where the denominator is 0.
    """
    total = denominator.sum()
    if total == 0:
        return float("nan"), float("nan"), float("nan")
    below = counts @ denominator
    samples = np.divide(
        counts @ numerator, below, out=np.full(len(counts), np.nan), where=below > 0
    )
    return float(numerator.sum() / total), *percentile_interval(samples, level)


def percentile_interval(
    samples: np.ndarray, level: float = 0.95
) -> tuple[float, float]:
    """Return the bounds between which the middle share of bootstrap samples lies.

    Samples that are NaN do not count; without any other both bounds are NaN.
    """
    known = samples[~np.isnan(samples)]
    if not len(known):
        return float("nan"), float("nan")
    tail = (1 - level) / 2
    low, high = np.quantile(known, [tail, 1 - tail])
    return float(low), float(high)


class ScoreHistogram:
    """Positives and negatives of each user by bins of the score.

    AUC and PR-AUC over millions of pairs are taken from the bins: exact up to ties
    within a bin. Edges are quantiles of the positives' and of all scores, so that the
    resolution is finest where positives are. Those of all scores are taken from about
    a million of them, evenly spread.

    Attributes
    ----------
    n_scores_for_bins : int
        Scores that these quantiles were taken from.

    Parameters
    ----------
    scores : ndarray of float32, shape (n_users, n_coupons)
    labels : ndarray of bool, same shape
    n_bins
        Number of quantiles taken from each of the two groups.
    """

    def __init__(self, scores: np.ndarray, labels: np.ndarray, n_bins: int = 256):
        levels = np.linspace(0, 1, n_bins + 1)
        flat = scores.ravel()
        stride = max(1, flat.size // 1_000_000)
        spread = flat[::stride]
        self.n_scores_for_bins = len(spread)
        edges = np.quantile(spread, levels)
        if labels.any():
            edges = np.concatenate([edges, np.quantile(scores[labels], levels)])
        self.edges = np.unique(edges)[1:]
        bins = np.searchsorted(self.edges, flat, side="right")
        size = len(self.edges) + 1
        rows = np.repeat(np.arange(len(scores)), scores.shape[1])
        shape = (len(scores), size)
        cells = rows * size + bins
        total = np.bincount(cells, minlength=shape[0] * size).reshape(shape)
        bought = np.bincount(cells[labels.ravel()], minlength=shape[0] * size)
        self.positives = bought.reshape(shape).astype(np.float32)
        self.negatives = total.astype(np.float32) - self.positives

    def intervals(
        self, counts: np.ndarray, level: float = 0.95
    ) -> dict[str, tuple[float, float, float]]:
        """Return AUC and PR-AUC, each with its bootstrap percentile interval."""
        return {
            name: (float(values[0]), *percentile_interval(values[1:], level))
            for name, values in self.samples(counts).items()
        }

    def samples(self, counts: np.ndarray) -> dict[str, np.ndarray]:
        """Return AUC and PR-AUC of the users as they are, then of each sample.

        Parameters
        ----------
        counts : ndarray, shape (n_samples, n_users)
            From :func:`bootstrap_counts`.

        Returns
        -------
        dict of ndarray of float64, shape (1 + n_samples,)
        """
        # whole numbers below 2^24: exact in float32, whatever the order of the sum
        counts = counts.astype(np.float32)
        positives, negatives = (
            np.vstack([of_users.sum(axis=0), counts @ of_users]).astype(np.float64)
            for of_users in (self.positives, self.negatives)
        )
        return {
            "auc": _auc(positives, negatives),
            "pr_auc": _pr_auc(positives, negatives),
        }


def _auc(positives: np.ndarray, negatives: np.ndarray) -> np.ndarray:
    """AUC from bins in ascending order of the score; ties within a bin count half."""
    below = np.cumsum(negatives, axis=1) - negatives / 2
    area = (positives * below).sum(axis=1)
    total = positives.sum(axis=1) * negatives.sum(axis=1)
    return np.divide(area, total, out=np.full(len(area), np.nan), where=total > 0)


def _pr_auc(positives: np.ndarray, negatives: np.ndarray) -> np.ndarray:
    """Average precision from bins: sum of precision times gain in recall."""
    found = np.cumsum(positives[:, ::-1], axis=1)
    seen = found + np.cumsum(negatives[:, ::-1], axis=1)
    precision = np.divide(found, seen, out=np.zeros_like(found), where=seen > 0)
    area = (precision * positives[:, ::-1]).sum(axis=1)
    total = positives.sum(axis=1)
    return np.divide(area, total, out=np.full(len(area), np.nan), where=total > 0)


def log_loss_sums(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Sum of the logarithmic loss of each user's pairs, in nats, shape (n_users,)."""
    probability = np.clip(scores, 1e-7, 1 - 1e-7)
    loss = np.where(labels, -np.log(probability), -np.log1p(-probability))
    return loss.sum(axis=1, dtype=np.float64)


def brier_sums(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Sum of squared errors of each user's probabilities, shape (n_users,)."""
    return np.square(scores - labels).sum(axis=1, dtype=np.float64)


def best_f1_threshold(
    probability: np.ndarray, label: np.ndarray, weight: np.ndarray
) -> float:
    """Return the threshold that maximises the weighted F1 of ``probability >= t``."""
    order = np.argsort(-probability, kind="stable")
    found = np.cumsum(weight[order] * label[order])
    named = np.cumsum(weight[order])
    f1 = 2 * found / (named + (weight * label).sum())
    # a threshold cannot part equal probabilities
    sorted_probability = probability[order]
    is_last = np.append(sorted_probability[1:] != sorted_probability[:-1], True)
    return float(sorted_probability[np.argmax(np.where(is_last, f1, -1.0))])


def calibration_bins(
    scores: np.ndarray, labels: np.ndarray, n_bins: int = 10
) -> list[tuple[float, float, int]]:
    """Mean probability, share bought and number of pairs in bins of equal positives.

    Bins hold about the same sum of probabilities, because bins of equal size would
    put nearly every purchase into the last one.
    """
    ordered = np.sort(scores, axis=None)
    mass = np.concatenate([[0.0], np.cumsum(ordered, dtype=np.float64)])
    edges = ordered[
        np.minimum(
            np.searchsorted(mass[1:], mass[-1] * np.arange(1, n_bins) / n_bins),
            len(ordered) - 1,
        )
    ]
    edges = np.unique(edges)
    # equal probabilities stay together
    starts = np.concatenate(
        [[0], np.searchsorted(ordered, edges, side="left"), [len(ordered)]]
    )
    bought = np.bincount(
        np.searchsorted(edges, scores[labels], side="right"), minlength=len(edges) + 1
    )
    return [
        (float((mass[end] - mass[start]) / (end - start)), float(n / (end - start)), n_)
        for start, end, n, n_ in zip(
            starts[:-1], starts[1:], bought, np.diff(starts).tolist(), strict=True
        )
        if end > start
    ]
