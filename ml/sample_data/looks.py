"""How many users look at a coupon and do not buy it, and how early."""

from __future__ import annotations

import numpy as np

from ml.sample_data import published
from ml.sample_data.names import Names

# Coupons that can be seen before their sale.
PREVIEW_COUPONS = 0.145
# Visits are a little more than the published total asks for: looks that do not end
# in a pair (dropped days) are lost.
LOOK_RESERVE = 1.04
# Looks per coupon spread beyond what its purchases explain.
LOOK_SPREAD = 0.7
LOOK_TUNING = {"gift": 0.85, "other": 0.93}
# Views of a user who looks at a coupon and does not buy it.
VIEWS_PER_LOOK = 1.293
# Visits and flagged rows that a bought pair brings along.
VISITS_PER_PAIR = 3.9
FLAGGED_PER_PAIR = 0.76


def expected_looks(
    rng: np.random.Generator,
    names: Names,
    genre: np.ndarray,
    pairs: np.ndarray,
    in_log: np.ndarray,
    size: float,
) -> np.ndarray:
    """Return expected users per coupon who look and do not buy.

    Parameters
    ----------
    rng
        Source of chance.
    names
        Look-up tables.
    genre, pairs, in_log
        Genre, expected buyers and share of the sale within the log, by coupon.
    size
        Users over those of the real sample.

    Notes
    -----
    Visits grow less than proportionally with purchases. Their level by genre fits
    the published mean of visits per flagged purchase, the exponent the total.
    """
    n_genres = len(names.genres)
    ratio = published.genre_array(published.GENRE_VIEWS_PER_FLAGGED, names.genres)
    noise = np.exp(LOOK_SPREAD * np.clip(rng.normal(0, 1, len(pairs)), -1.6, 1.6))
    flagged = np.maximum(FLAGGED_PER_PAIR * pairs, 1.0)
    listed = (published.VISITS - published.UNLISTED_VISITS) * size * LOOK_RESERVE
    ratio *= np.array([LOOK_TUNING.get(g, 1.0) for g in names.genres])
    counts = np.maximum(np.bincount(genre, in_log, n_genres), 1e-9)
    low, high = 0.0, 1.0
    for _ in range(30):
        power = (low + high) / 2
        visits = np.maximum(pairs, 0.3) ** power * noise
        mean = np.bincount(genre, visits / flagged * in_log, n_genres) / counts
        visits *= (ratio / np.maximum(mean, 1e-9))[genre]
        if (visits * in_log).sum() < listed:
            low = power
        else:
            high = power
    visits *= listed / (visits * in_log).sum()
    return np.maximum(visits - VISITS_PER_PAIR * pairs, 0.15 * visits) / VIEWS_PER_LOOK


def preview_shares(
    rng: np.random.Generator, looks: np.ndarray, is_test: np.ndarray
) -> np.ndarray:
    """Return the share of each coupon's looks that come before its sale, 0..1."""
    preview = np.zeros(len(looks))
    for listed in (False, True):
        members = np.flatnonzero(is_test == listed)
        members = members[np.argsort(looks[members], kind="stable")]
        # Evenly over little and much looked at coupons.
        step = 1 / PREVIEW_COUPONS
        chosen = np.arange(step * rng.random(), len(members), step).astype(np.int64)
        preview[members[chosen]] = rng.beta(4.0, 11.0, len(chosen))
    return preview
