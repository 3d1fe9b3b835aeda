"""Groups of users with published purchases: prefectures and ages."""

from __future__ import annotations

import numpy as np

from ml.sample_data import published
from ml.sample_data.names import Names
from ml.sample_data.users import Users


def place_groups(names: Names, users: Users) -> np.ndarray:
    """Return each user's prefecture number, 47 where none is registered."""
    return np.where(users.has_prefecture, users.home_prefecture, len(names.prefectures))


def place_totals(names: Names) -> np.ndarray:
    """Return published purchases by prefecture; the last is "not registered"."""
    return np.array(
        [published.PREFECTURES[slug][1] for slug in names.prefectures]
        + [published.UNKNOWN_PREFECTURE_PURCHASES],
        dtype=float,
    )


def place_means(names: Names) -> np.ndarray:
    """Return published purchases per user by prefecture; the last as above."""
    figures = [published.PREFECTURES[slug] for slug in names.prefectures]
    return np.array(
        [f[1] / f[0] for f in figures]
        + [published.UNKNOWN_PREFECTURE_PURCHASES / published.UNKNOWN_PREFECTURE_USERS]
    )


def age_groups(users: Users) -> np.ndarray:
    """Return each user's age group, 0..4."""
    upper = np.array([row[0] for row in published.AGE_PURCHASES])
    return np.minimum(np.searchsorted(upper, users.age), len(upper) - 1)


def age_means() -> np.ndarray:
    """Return published purchases per user and year by age group."""
    return np.array([row[1] for row in published.AGE_PURCHASES])
