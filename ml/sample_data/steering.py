"""Feedback that keeps yearly totals near the published ones, week by week.

Totals of a prefecture or of a small genre have sampling errors as large as their
tolerance. Every week, whoever is behind gets a little more weight in the coming
draws and whoever is ahead a little less, within a horizon of a few weeks. Tastes
and the test week stay untouched.
"""

from __future__ import annotations

import numpy as np

from ml.sample_data import calendar, published
from ml.sample_data.context import Context
from ml.sample_data.events import Purchases
from ml.sample_data.groups import age_groups, age_means, place_groups, place_totals

# Smaller worlds have too few purchases a week to steer by.
MIN_USERS = 5000
FIRST_WEEK = 3
# Weeks within which a deviation is made good.
HORIZON = 5
# Largest shift of the log odds between women and men, or home and away.
MOST_LEAN = 2.5
# How much of last week's memory of weekdays stays, and how boldly to correct.
WEEKDAY_MEMORY = 0.9
WEEKDAY_STEP = 0.5
LEAST_FACTOR, MOST_FACTOR = 0.1, 3.0


class Steering:
    """Compares purchases so far with the published totals and corrects weights.

    Parameters
    ----------
    context
        The world.
    own_prefecture
        Wanted share of purchases in the own prefecture by genre, 0..1.
    expected_by_user
        Expected purchases of each user by week, shape (users, 52).
    planned_by_genre
        Planned purchases of each genre by week, shape (13, 52).
    """

    def __init__(
        self,
        context: Context,
        own_prefecture: np.ndarray,
        expected_by_user: np.ndarray,
        planned_by_genre: np.ndarray,
    ) -> None:
        names, users = context.names, context.users
        self._users = users
        self._coupons = context.coupons
        self._active = len(users) >= MIN_USERS
        self._planned = planned_by_genre
        female = published.genre_array(published.GENRE_FEMALE, names.genres)
        # Women over men, home over away: wanted shares, purchases so far.
        self._wanted_share = np.stack([female, own_prefecture])
        self._so_far = np.zeros((2, len(names.genres), 2))
        self._class_of = users.home_prefecture * 2 + users.is_female
        self._n_classes = 2 * len(names.prefectures)
        self._groups = []
        size = len(users) / published.USERS
        for group, wanted in (
            (place_groups(names, users), place_totals(names) * size),
            (
                age_groups(users),
                age_means() * np.bincount(age_groups(users), minlength=5),
            ),
        ):
            expected = np.stack(
                [np.bincount(group, week, len(wanted)) for week in expected_by_user.T],
                axis=1,
            )
            expected *= (wanted / np.maximum(expected.sum(axis=1), 1e-9))[:, None]
            self._groups.append((group, expected, np.zeros(len(wanted))))

    def observe(self, purchases: Purchases) -> None:
        """Count the purchases of a week (rows of the log)."""
        user, genre = purchases.user, self._coupons.genre[purchases.coupon]
        n_genres = self._so_far.shape[1]
        for group, _, so_far in self._groups:
            np.add.at(so_far, group[user], 1)
        female = self._users.is_female[user]
        home = (
            self._users.home_prefecture[user]
            == self._coupons.prefecture[purchases.coupon]
        )
        known = self._users.has_prefecture[user]
        for number, yes, counted in ((0, female, slice(None)), (1, home, known)):
            key = genre[counted] * 2 + yes[counted]
            self._so_far[number] += np.bincount(key, minlength=2 * n_genres).reshape(
                n_genres, 2
            )

    def user_factors(self, week: int) -> np.ndarray:
        """Factor per user that brings prefectures and ages to their totals."""
        factor = np.ones(len(self._users))
        if not self._steers(week):
            return factor
        ahead = min(week + HORIZON, calendar.N_TRAIN_WEEKS)
        for group, expected, bought in self._groups:
            so_far = expected[:, :week].sum(axis=1)
            so_far *= bought.sum() / max(so_far.sum(), 1e-9)
            soon = np.maximum(expected[:, week:ahead].sum(axis=1), 1.0)
            step = np.clip(1 + (so_far - bought) / soon, LEAST_FACTOR, MOST_FACTOR)
            factor *= step[group]
        return factor

    def lean(
        self, week: int, weights: np.ndarray, coupons: np.ndarray, users: np.ndarray
    ) -> None:
        """Let genres lean to the sex, and to home or away, that they lack so far.

        Changes ``weights`` (coupons in rows, users in columns).
        """
        if not self._steers(week):
            return
        ahead = min(week + HORIZON, calendar.N_TRAIN_WEEKS)
        soon = np.maximum(self._planned[:, week:ahead].sum(axis=1), 1.0)
        total = self._so_far.sum(axis=2)
        share = self._wanted_share
        needed = (share * (total + soon) - self._so_far[:, :, 1]) / soon
        needed = np.clip(needed, 0.02, 0.98)
        step = np.log(needed / (1 - needed)) - np.log(share / (1 - share))
        to_women, to_home = np.exp(np.clip(step, -MOST_LEAN, MOST_LEAN))
        genre = self._coupons.genre[coupons]
        factor = np.ones((len(coupons), self._n_classes), dtype=np.float32)
        factor[:, 1::2] = to_women[genre][:, None]
        rows, home = np.arange(len(coupons)), 2 * self._coupons.prefecture[coupons]
        factor[rows, home] *= to_home[genre]
        factor[rows, home + 1] *= to_home[genre]
        weights *= factor[:, self._class_of[users]]

    def _steers(self, week: int) -> bool:
        return self._active and FIRST_WEEK <= week < calendar.N_TRAIN_WEEKS


class WeekdaySteering:
    """Lets coming weeks lean to weekdays that are behind their published share.

    Attributes
    ----------
    factor
        Factor per weekday, Sunday first.
    """

    def __init__(self) -> None:
        self.factor = np.ones(7)
        self._bought = np.zeros(7)

    def observe(self, day: np.ndarray) -> None:
        """Count the purchases of a week by day (0 is Sunday)."""
        self._bought = WEEKDAY_MEMORY * self._bought + np.bincount(day, minlength=7)
        total = self._bought.sum()
        if total < 1000:
            return
        target = np.array(published.WEEKDAY_PURCHASES)
        ratio = target / target.sum() / np.maximum(self._bought / total, 1e-3)
        self.factor = np.clip(self.factor * ratio**WEEKDAY_STEP, 0.4, 2.5)
