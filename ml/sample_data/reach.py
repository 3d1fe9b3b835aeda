"""How far people go for a coupon: lifts by distance, and shares at home."""

from __future__ import annotations

import numpy as np

from ml.sample_data import published
from ml.sample_data.coupons import Coupons
from ml.sample_data.names import Names
from ml.sample_data.users import Users

DISTANCE_BINS_KM = np.array([0.5, 30.0, 60.0, 100.0, 200.0, 400.0])
# Lift of a purchase over chance by distance bin (same prefecture first).
LOCAL_LIFT = (4.7, 1.5, 1.55, 1.1, 0.35, 0.06, 0.05)
REACH = {
    "delivery": (1.0, 0.95, 1.0, 1.05, 1.1, 1.0, 1.0),
    "other": (1.02, 1.0, 1.0, 1.0, 1.05, 1.0, 1.0),
    "gift": (1.35, 1.1, 1.2, 1.1, 0.9, 0.8, 0.85),
    "lesson": (2.5, 1.1, 1.2, 1.0, 0.87, 0.54, 0.6),
    "hotel": (3.8, 1.5, 2.0, 3.3, 2.0, 0.55, 0.21),
    "leisure": (6.5, 1.5, 1.8, 2.8, 1.2, 0.15, 0.13),
    "hair": (5.9, 1.3, 1.25, 1.0, 0.2, 0.04, 0.05),
    "food": (4.6, 1.5, 1.6, 1.3, 0.5, 0.09, 0.08),
}
# Part of the way from the published share to what the published odds ask for, and
# the largest step.
ODDS_PART = 0.5
ODDS_STEP = 0.025


def reach_table(names: Names) -> np.ndarray:
    """Lift by genre, home area and shop prefecture, shape (13, 55, 47)."""
    km = names.distance_km()[names.small_area_prefecture]
    bins = np.searchsorted(DISTANCE_BINS_KM, km)
    lifts = np.array([REACH.get(genre, LOCAL_LIFT) for genre in names.genres])
    return lifts[:, bins]


def own_prefecture_shares(
    names: Names, users: Users, coupons: Coupons, wanted: np.ndarray
) -> np.ndarray:
    """Wanted share of purchases in the own prefecture by genre, 0..1.

    The published share, moved a little towards the one that the published odds ask
    for where this catalogue has its coupons.
    """
    shares = published.genre_array(published.GENRE_OWN_PREFECTURE, names.genres)
    odds = published.genre_array(published.GENRE_OWN_PREFECTURE_ODDS, names.genres)
    known = users.has_prefecture
    n_places = len(names.prefectures)
    buyers = np.bincount(users.home_prefecture[known], wanted[known], n_places)
    buyers = buyers / max(buyers.sum(), 1e-9)
    for number in range(len(shares)):
        listed = coupons.prefecture[(coupons.genre == number) & ~coupons.is_test]
        offered = np.bincount(listed, minlength=n_places) / max(len(listed), 1)
        same = np.clip(float((buyers * offered).sum()), 1e-3, 1 - 1e-3)
        ratio = odds[number] * same / (1 - same)
        step = ODDS_PART * (ratio / (1 + ratio) - shares[number])
        shares[number] += np.clip(step, -ODDS_STEP, ODDS_STEP)
    return shares
