"""How often users come: presence by week, wanted purchases, active weeks."""

from __future__ import annotations

import numpy as np

from ml.sample_data import calendar, published
from ml.sample_data.calendar import DAY_SECONDS
from ml.sample_data.groups import age_groups, age_means, place_groups, place_means
from ml.sample_data.names import Names
from ml.sample_data.users import Users

# Nobody is expected to buy more often in a year.
MOST_WANTED = 60.0


def presence_by_week(users: Users) -> np.ndarray:
    """How present each user is in each week, shape (users, 53).

    A registration is followed by a busy time that fades; users of before the log
    have settled.
    """
    week = np.arange(calendar.N_WEEKS)
    registered = users.registered_week
    tenure = (week[None, :] - registered[:, None]).astype(np.float32)
    presence = np.where(
        registered[:, None] < 0,
        0.165,
        0.085 + 0.20 * np.exp(-np.maximum(tenure, 0) / 10),
    ).astype(np.float32)
    presence[tenure < 0] = 0
    begun = week[None, :] == registered[:, None]
    in_week = 1 - (users.registered % (7 * DAY_SECONDS)) / (7 * DAY_SECONDS)
    presence *= np.where(begun, in_week[:, None], 1.0).astype(np.float32)
    gone = (users.withdrawn >= 0)[:, None] & (
        week[None, :] >= (users.withdrawn // (7 * DAY_SECONDS))[:, None]
    )
    presence[gone] = 0
    presence[users.withdrawn >= 0] *= 0.4
    presence[users.is_late, : calendar.TEST_WEEK] = 0
    return presence


def wanted_purchases(
    names: Names, users: Users, presence: np.ndarray, total_pairs: float
) -> np.ndarray:
    """Fit purchases per user beyond the first to published group means.

    Parameters
    ----------
    names, users
        The world.
    presence
        As from `presence_by_week`.
    total_pairs
        Purchases of all users within the log, first ones included.

    Returns
    -------
    numpy.ndarray
        Expected purchases in the year of the log, one per user.
    """
    pairs_per_purchase = published.PURCHASED_PAIRS / published.PURCHASES
    wanted = users.buying * presence[:, : calendar.N_TRAIN_WEEKS].sum(axis=1)
    certain = (~users.is_late).astype(float)
    age_group, place = age_groups(users), place_groups(names, users)
    for _ in range(12):
        for group, mean in ((age_group, age_means()), (place, place_means(names))):
            sizes = np.bincount(group, minlength=len(mean))
            target = mean * sizes * pairs_per_purchase
            target -= np.bincount(group, certain, minlength=len(mean))
            now = np.bincount(group, wanted, minlength=len(mean))
            ratio = np.clip(target, 0.2 * sizes, None) / np.maximum(now, 1e-9)
            # Few users: do not force one person to stand for a prefecture.
            trust = sizes / (sizes + 3.0)
            wanted = wanted * np.clip(ratio, 0.05, 20)[group] ** trust[group]
    wanted = np.minimum(wanted, MOST_WANTED)
    return wanted * max(total_pairs - certain.sum(), 0.1) / max(wanted.sum(), 1e-9)


def weights_by_week(
    presence: np.ndarray, wanted: np.ndarray, weekly_pairs: np.ndarray
) -> np.ndarray:
    """Spread each user's wanted purchases over the weeks, shape (users, 53).

    Fits rows to the users' totals and columns to the weeks' totals; the test week
    comes on top.
    """
    weights = presence.astype(np.float32).copy()
    last = calendar.N_TRAIN_WEEKS
    rows = wanted.astype(np.float32)
    for _ in range(12):
        now = weights[:, :last].sum(axis=1)
        weights *= (rows / np.maximum(now, 1e-9))[:, None] * (now > 0)[:, None]
        columns = weights.sum(axis=0, dtype=np.float64)
        factor = weekly_pairs / np.maximum(columns, 1e-9)
        weights *= np.clip(factor, 0, 1e6).astype(np.float32)[None, :]
    return weights
