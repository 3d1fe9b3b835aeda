"""Which training pairs a model learns its ranking from, and how much each counts."""

from __future__ import annotations

import numpy as np

from ml.pairs import TrainingSet


def buyer_weeks(training: TrainingSet) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of each pair's user and week, and whether they bought.

    Returns
    -------
    number : ndarray of intp, shape (n,)
        Per pair the number of its user's week, in the order of the rows.
    has_bought : ndarray of bool, shape (n,)
        Per pair whether that user bought any candidate in that week.
    """
    changes = (np.diff(training.user_id) != 0) | (np.diff(training.cutoff) != 0)
    number = np.concatenate([[0], np.cumsum(changes)]).astype(np.intp)
    bought = np.bincount(number, weights=training.label) > 0
    return number, bought[number]


def held_out(
    number: np.ndarray, has_bought: np.ndarray, share: float, random_state: int
) -> np.ndarray:
    """Draw a share of the buyers' weeks; return which pairs belong to them."""
    drawn = np.random.default_rng(random_state).random(int(number[-1]) + 1) < share
    return has_bought & drawn[number]


def thin_negatives(
    training: TrainingSet, is_used: np.ndarray, max_rows: int, random_state: int
) -> tuple[np.ndarray, np.ndarray]:
    """Choose at most about ``max_rows`` of the used pairs, all positives among them.

    Returns
    -------
    rows : ndarray of intp
        Places of the chosen pairs, in their order.
    weight : ndarray of float64
        What each of them counts: what is left out of the negatives is added to those
        that stay.
    """
    n_positives = int((is_used & training.label).sum())
    n_negatives = int(is_used.sum()) - n_positives
    share = min(1.0, max(max_rows - n_positives, 1) / max(n_negatives, 1))
    drawn = np.random.default_rng(random_state).random(len(training)) < share
    rows = np.flatnonzero(is_used & (training.label | drawn))
    return rows, np.where(training.label[rows], 1.0, training.weight[rows] / share)


def recency_weights(cutoff: np.ndarray, half_life_weeks: float) -> np.ndarray:
    """Return weights that halve with each half-life before the last cutoff, mean 1.

    Parameters
    ----------
    cutoff : ndarray of datetime64, shape (n,)
    half_life_weeks
        Above 0.
    """
    weeks = (cutoff.max() - cutoff) / np.timedelta64(7, "D")
    weight = np.exp2(-weeks / half_life_weeks)
    return weight / weight.mean()
