"""Coupons that are looked at but stand in no list."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.sample_data import calendar, published
from ml.sample_data.coupons import catalogue_scale
from ml.sample_data.looks import VIEWS_PER_LOOK
from ml.sample_data.streams import stream


@dataclass
class Ghosts:
    """One entry per coupon of no list: first day, days on display, expected looks."""

    first_day: np.ndarray
    display_days: np.ndarray
    looks: np.ndarray

    def __len__(self) -> int:
        return len(self.first_day)

    def day_shares(self) -> np.ndarray:
        """Share of looks by day since the first, shape (coupons, longest display)."""
        offset = np.arange(int(self.display_days.max()))
        share = (offset < self.display_days[:, None]) * 0.8**offset
        return share / share.sum(axis=1, keepdims=True)


def make_ghosts(n_users: int, seed: int) -> Ghosts:
    """Draw the coupons of no list: never bought by anyone in the sample."""
    rng = stream(seed, "ghosts")
    n = max(20, round(published.UNLISTED_COUPONS * catalogue_scale(n_users)))
    size = n_users / published.USERS
    looks = rng.lognormal(0, 0.9, n)
    looks *= published.UNLISTED_VISITS * size / VIEWS_PER_LOOK / looks.sum()
    return Ghosts(
        first_day=rng.integers(0, calendar.TEST_DAY - 1, n),
        display_days=rng.integers(2, 6, n),
        looks=looks,
    )
