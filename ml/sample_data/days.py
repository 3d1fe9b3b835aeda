"""On which day of a week users buy and look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.sample_data import calendar
from ml.sample_data.calendar import DAY_SECONDS
from ml.sample_data.context import Context
from ml.sample_data.streams import stream

# Weight of a user's best day of the week over the worst is the square of this.
DAY_CONTRAST = 120.0


@dataclass(frozen=True)
class DayPlan:
    """When the events of each coupon happen.

    Attributes
    ----------
    share
        Share of a coupon's events by day since ``first_day``, one row per coupon.
    first_day
        Day of the first column.
    at_once
        Coupons that everybody takes on the spot, whatever the day.
    """

    share: np.ndarray
    first_day: np.ndarray
    at_once: np.ndarray


class DayChoice:
    """Draws days within the weeks of their pairs; users come on few days.

    Parameters
    ----------
    context
        The world.
    """

    def __init__(self, context: Context) -> None:
        self._users = context.users
        self._seed = context.seed
        self._mood_week = -1
        self._mood = np.empty((0, 7), dtype=np.float32)

    def draw(
        self,
        rng: np.random.Generator,
        week: int,
        user: np.ndarray,
        item: np.ndarray,
        plan: DayPlan,
        factor: np.ndarray | None = None,
    ) -> np.ndarray:
        """Draw a day for each pair, 0..6, or -1 where none fits.

        Parameters
        ----------
        rng
            Source of chance.
        week
            Week of all pairs.
        user, item
            Users, and rows of ``plan``.
        plan
            When the events happen.
        factor
            Factors by weekday, Sunday first.
        """
        if len(user) == 0:
            return np.empty(0, dtype=np.int64)
        day = week * 7 + np.arange(7)
        offset = day[None, :] - plan.first_day[item][:, None]
        inside = (offset >= 0) & (offset < plan.share.shape[1])
        share = plan.share[item[:, None], np.where(inside, offset, 0)]
        weight = np.where(inside, share, 0)
        if factor is not None:
            weight = weight * factor
        mood = self._moods(week, user)
        weight = weight * np.where(plan.at_once[item][:, None], 1.0, mood)
        return self._pick(rng, week, user, weight)

    def _moods(self, week: int, user: np.ndarray) -> np.ndarray:
        """Weights of the days of a week for users, shape (n, 7)."""
        if self._mood_week != week:
            level = stream(self._seed, "days", week).random(
                (len(self._users), 7), dtype=np.float32
            )
            self._mood_week, self._mood = week, DAY_CONTRAST ** (2 * level - 1)
        return self._mood[user]

    def _pick(
        self, rng: np.random.Generator, week: int, user: np.ndarray, weight: np.ndarray
    ) -> np.ndarray:
        """Draw by weight among the days on which the user is registered."""
        day = week * 7 + np.arange(7)
        registered = self._users.registered[user] // DAY_SECONDS
        weight = np.where(day[None, :] > registered[:, None], weight, 0)
        left = self._users.withdrawn[user]
        gone = (left >= 0)[:, None] & (day[None, :] >= (left // DAY_SECONDS)[:, None])
        weight = np.where(gone | (day < calendar.FIRST_LOG_DAY)[None, :], 0, weight)
        total = np.cumsum(weight, axis=1)
        level = rng.random(len(user)) * total[:, -1]
        chosen = (total <= level[:, None]).sum(axis=1)
        return np.where(total[:, -1] > 0, np.minimum(chosen, 6), -1)
