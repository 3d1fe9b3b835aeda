"""How many users look at a coupon and do not buy it, and how early."""

from __future__ import annotations

import numpy as np
from scipy.stats import beta, norm

from ml.sample_data import calendar, published
from ml.sample_data.coupons import FEW_COUPONS
from ml.sample_data.names import Names
from ml.sample_data.streams import even_by_group, even_levels

# Coupons that can be seen before their sale.
PREVIEW_COUPONS = 0.145
# Early looks by day, from eight days before the sale to the day before it.
PREVIEW_DAYS = np.array([0.06, 0.08, 0.10, 0.12, 0.14, 0.15, 0.17, 0.18])
# Share of a coupon's looks that come early: parameters of a beta distribution.
PREVIEW_SHARE = (4.0, 11.0)
# Visits are a little more than the published total asks for: looks that do not end
# in a pair (dropped days) are lost.
LOOK_RESERVE = 1.04
# Looks per coupon spread beyond what its purchases explain; less where few coupons
# make a genre, whose mean would be that of one or two of them.
LOOK_SPREAD = 0.7
SMALL_LOOK_SPREAD = 0.3
LOOK_TUNING = {"gift": 0.92, "other": 0.93, "health": 0.92, "beauty": 0.96}
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
    noise = np.clip(norm.ppf(even_by_group(rng, genre)), -1.6, 1.6)
    is_small = np.bincount(genre, minlength=n_genres) < FEW_COUPONS
    noise = np.exp(np.where(is_small, SMALL_LOOK_SPREAD, LOOK_SPREAD)[genre] * noise)
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
    rng: np.random.Generator,
    looks: np.ndarray,
    release_day: np.ndarray,
    is_test: np.ndarray,
) -> np.ndarray:
    """Return the share of each coupon's looks that come before its sale, 0..1.

    The coupons, and how early they are looked at, are spread evenly over those with
    few and with many early looks inside the log.
    """
    day = release_day[:, None] - len(PREVIEW_DAYS) + np.arange(len(PREVIEW_DAYS))
    in_log = looks * ((day < calendar.TEST_DAY) * PREVIEW_DAYS).sum(axis=1)
    preview = np.zeros(len(looks))
    for listed in (False, True):
        members = np.flatnonzero(is_test == listed)
        members = members[np.argsort(in_log[members], kind="stable")]
        step = 1 / PREVIEW_COUPONS
        chosen = members[np.arange(step / 2, len(members), step).astype(np.int64)]
        level = even_levels(rng, in_log[chosen])
        preview[chosen] = beta.ppf(level, *PREVIEW_SHARE)
    return preview
