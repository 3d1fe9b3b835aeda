"""Draws that the behaviour is made of: pairs by weight, totals over weeks."""

from __future__ import annotations

import numpy as np

# Weights held at once; bounds the memory of large worlds.
CELLS_PER_BLOCK = 4_000_000
Plan = dict[int, tuple[np.ndarray, np.ndarray]]


def draw_pairs(
    rng: np.random.Generator, weights: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Draw ``counts[r]`` different columns of each row, proportional to weights."""
    n_columns = weights.shape[1]
    flat = np.cumsum(weights.ravel(), dtype=np.float64)
    end = flat[n_columns - 1 :: n_columns]
    start = np.concatenate([[0.0], end[:-1]])
    wanted = np.where(end > start, np.minimum(counts, n_columns), 0).astype(np.int64)
    left = wanted.copy()
    found = np.empty(0, dtype=np.int64)
    for _ in range(25):
        if left.sum() == 0:
            break
        row = np.repeat(np.arange(len(left)), left)
        level = start[row] + rng.random(len(row)) * (end - start)[row]
        cell = np.searchsorted(flat, level, side="right")
        cell = np.clip(cell, row * n_columns, row * n_columns + n_columns - 1)
        found = np.unique(np.concatenate([found, cell]))
        left = np.maximum(
            wanted - np.bincount(found // n_columns, minlength=len(left)),
            0,
        )
    return found // n_columns, found % n_columns


def turns(user: np.ndarray) -> np.ndarray:
    """Return how many earlier rows each row's user has."""
    order = np.argsort(user, kind="stable")
    starts = np.flatnonzero(np.diff(user[order], prepend=-1))
    sizes = np.diff(starts, append=len(user))
    turn = np.empty(len(user), dtype=np.int64)
    turn[order] = np.arange(len(user)) - np.repeat(starts, sizes)
    return turn


def spread_over_weeks(
    rng: np.random.Generator,
    total: np.ndarray,
    share: np.ndarray,
    first_day: np.ndarray,
) -> Plan:
    """Split each coupon's total over weeks: week -> (coupons, counts)."""
    left = total.copy()
    share_left = np.ones(len(total))
    week0 = first_day // 7
    plan: dict[int, list] = {}
    n_days = share.shape[1]
    offset_day = first_day - week0 * 7
    for ahead in range((n_days + 6) // 7 + 1):
        begin = ahead * 7 - offset_day
        cumulative = np.concatenate(
            [np.zeros((len(total), 1)), np.cumsum(share, axis=1)], axis=1
        )
        rows = np.arange(len(total))
        part = (
            cumulative[rows, np.clip(begin + 7, 0, n_days)]
            - cumulative[rows, np.clip(begin, 0, n_days)]
        )
        chance = np.clip(part / np.maximum(share_left, 1e-12), 0, 1)
        count = rng.binomial(left, chance)
        left = left - count
        share_left = share_left - part
        for week in np.unique((week0 + ahead)[count > 0]):
            members = np.flatnonzero((week0 + ahead == week) & (count > 0))
            plan.setdefault(int(week), []).append((members, count[members]))
    joined = {}
    for week, parts in plan.items():
        coupons = np.concatenate([p[0] for p in parts])
        counts = np.concatenate([p[1] for p in parts])
        joined[week] = (coupons, counts)
    return joined
