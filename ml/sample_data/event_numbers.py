"""Small numbers of the log: repeated looks, pages, items, referrers."""

from __future__ import annotations

import numpy as np

from ml.sample_data import published
from ml.sample_data.names import Names

# One visit in so many comes after very many pages.
ENDLESS_EVERY = 350_000
# The published maximum: no page of a session has a higher number.
LAST_PAGE = 1368


def counts_before(rng: np.random.Generator, n: int) -> np.ndarray:
    """Draw the number of looks before a purchase, for purchases with looks."""
    shares = np.array([0.40, 0.23, 0.144, 0.107, 0.05, 0.03, 0.02, 0.012, 0.007])
    return rng.choice(len(shares), size=n, p=shares / shares.sum())


def counts_of_looks(rng: np.random.Generator, n: int) -> np.ndarray:
    """Draw how often users look at a coupon that they do not buy, from 1 on."""
    shares = np.array([0.817, 0.128, 0.032, 0.0118, 0.005, 0.0024, 0.0013, 0.0013])
    return 1 + rng.choice(len(shares), size=n, p=shares / shares.sum())


def page_serials(
    rng: np.random.Generator, starts: np.ndarray, session: np.ndarray, before: int
) -> np.ndarray:
    """Page number within the session: starts at 1 or later, then grows by steps.

    ``before`` is the number of rows of earlier weeks.
    """
    n = len(session)
    first = np.where(
        rng.random(len(starts)) < 0.55, 1, 1 + rng.geometric(0.28, len(starts))
    )
    step = 1 + np.floor(rng.exponential(1.0, n) ** 2.2 * 0.595).astype(np.int64)
    # A handful of visits come after very many pages, as the published maximum shows.
    inside = np.ones(n, dtype=bool)
    inside[starts] = False
    inside = np.flatnonzero(inside)
    due = np.arange(-(-before // ENDLESS_EVERY) * ENDLESS_EVERY, before + n)[
        ::ENDLESS_EVERY
    ]
    if len(inside):
        # The first row of a session has no step: take the next row that has one.
        place = np.minimum(np.searchsorted(inside, due - before), len(inside) - 1)
        step[inside[place]] = rng.integers(1300, 1361, len(due))
    walked = np.cumsum(step)
    return np.minimum(first[session] + walked - walked[starts][session], LAST_PAGE)


def item_counts(
    rng: np.random.Generator, names: Names, genre: np.ndarray
) -> np.ndarray:
    """Draw the number of items of each purchase, 1..30, by genre."""
    mean = published.genre_array(published.GENRE_ITEMS, names.genres)[genre]
    # Half of those who buy several buy two.
    several = np.clip((mean - 1) / 1.75, 0, 0.75)
    more = 1 + rng.geometric(0.57, len(genre))
    return np.where(rng.random(len(genre)) < several, np.minimum(more, 30), 1)


def referrers(rng: np.random.Generator, n: int, n_referrers: int) -> np.ndarray:
    """Draw referrer numbers: five with published shares, then a long tail."""
    top = np.array(published.TOP_REFERRERS) / 100
    level = rng.random(n)
    bounds = np.cumsum(top)
    chosen = np.searchsorted(bounds, level, side="right")
    tail = np.floor((n_referrers - len(top)) * rng.random(n) ** 2.2).astype(np.int64)
    return np.where(chosen < len(top), chosen, len(top) + tail)
