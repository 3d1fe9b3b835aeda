"""The one purchase that every user but a few makes for certain: when, and of what."""

from __future__ import annotations

import numpy as np

from ml.sample_data import calendar
from ml.sample_data.calendar import DAY_SECONDS, WEEK_SECONDS
from ml.sample_data.context import Context
from ml.sample_data.demand import Demand
from ml.sample_data.preferences import Preferences
from ml.sample_data.sampling import CELLS_PER_BLOCK
from ml.sample_data.streams import stream

# Registration to first purchase, days: levels and quantiles.
LAG_LEVELS = (0.0, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 1.0)
LAG_DAYS = (0.002, 0.01, 0.04, 0.12, 1.0, 6.0, 27.0, 48.0, 150.0)
# Weeks over which the first purchases of older users fade.
OLD_FADE = 24.0
NEWCOMER_PULL = 2.0
# Share of the users without a purchase in the log who buy in the test week.
LATE_BUYERS = 0.9
LOG_END = calendar.TEST_DAY * DAY_SECONDS


class FirstPurchases:
    """Draws the certain purchases.

    Parameters
    ----------
    context, demand
        The world.

    Attributes
    ----------
    second
        When each user buys first, seconds; the late ones in the test week, or not
        for certain (-1).
    """

    def __init__(self, context: Context, demand: Demand) -> None:
        self._coupons = context.coupons
        self._demand = demand
        self.second = self._plan(context, stream(context.seed, "people"))

    @staticmethod
    def _plan(context: Context, rng: np.random.Generator) -> np.ndarray:
        users = context.users
        n = len(users)
        log_start = calendar.FIRST_LOG_DAY * DAY_SECONDS
        lag = np.interp(rng.random(n), LAG_LEVELS, LAG_DAYS) * DAY_SECONDS
        second = users.registered + lag
        old = users.registered < log_start
        limit = np.where(users.withdrawn >= 0, users.withdrawn, LOG_END)
        limit = np.minimum(limit, LOG_END) - 3600
        begin = np.maximum(users.registered, log_start)
        fading = -np.log1p(-rng.random(n) * (1 - np.exp(-52 / OLD_FADE))) * OLD_FADE * 7
        second = np.where(old, log_start + fading * DAY_SECONDS, second)
        beyond = second >= limit
        again = begin + rng.random(n) * np.maximum(limit - begin, 1)
        second = np.where(beyond, again, second)
        # Not in the last minutes of a day: there is no time left to buy.
        is_night = second % DAY_SECONDS > DAY_SECONDS - 600
        second = np.where(is_night, second + 1200, second)
        second[users.is_late] = -1
        late = np.flatnonzero(users.is_late)
        first = np.maximum(users.registered[late] + 600, LOG_END)
        last = LOG_END + WEEK_SECONDS - 600
        second[late] = first + rng.random(len(late)) * np.maximum(last - first, 1)
        second[rng.permutation(late)[round(LATE_BUYERS * len(late)) :]] = -1
        return second.astype(np.int64)

    def by_week(self) -> np.ndarray:
        """Certain purchases by week, shape (53,)."""
        week = self.second[self.second >= 0] // WEEK_SECONDS
        return np.bincount(week, minlength=calendar.N_WEEKS)[: calendar.N_WEEKS]

    def due(self, week: int) -> np.ndarray:
        """Users whose certain purchase falls into a week."""
        return np.flatnonzero(
            (self.second >= 0) & (self.second // WEEK_SECONDS == week)
        )

    def on_sale(self, week: int) -> np.ndarray:
        """Coupons on sale at some time of a week."""
        return np.flatnonzero(
            (self._coupons.sale_start < (week + 1) * WEEK_SECONDS)
            & (self._coupons.sale_end > week * WEEK_SECONDS)
        )

    def draw(
        self, rng: np.random.Generator, week: int, preferences: Preferences
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw the certain purchases of a week: users, coupons, days 0..6."""
        due, on_sale = self.due(week), self.on_sale(week)
        empty = np.empty(0, dtype=np.int64)
        users, items, days = [empty], [empty], [empty]
        step = max(1, CELLS_PER_BLOCK // max(len(on_sale), 1))
        for start in range(0, len(due), step):
            who = due[start : start + step]
            total = np.cumsum(self.weights(preferences, on_sale, who).T, axis=1)
            level = rng.random(len(who)) * total[:, -1]
            chosen = (total <= level[:, None]).sum(axis=1)
            ok = total[:, -1] > 0
            users.append(who[ok])
            items.append(on_sale[np.minimum(chosen[ok], len(on_sale) - 1)])
            days.append(self.second[who[ok]] // DAY_SECONDS - week * 7)
        return np.concatenate(users), np.concatenate(items), np.concatenate(days)

    def weights(
        self, preferences: Preferences, on_sale: np.ndarray, who: np.ndarray
    ) -> np.ndarray:
        """Weights of coupons (rows) for the certain purchases of users (columns)."""
        coupons, day_share = self._coupons, self._demand.day_share
        second = self.second[who]
        when = second // DAY_SECONDS
        weights = preferences.block(on_sale, who).astype(np.float64)
        norm = preferences.typical[on_sale]
        offset = when[None, :] - coupons.release_day[on_sale][:, None]
        inside = (offset >= 0) & (offset < day_share.shape[1])
        share = day_share[on_sale[:, None], np.where(inside, offset, 0)]
        open_until = np.minimum(
            coupons.sale_end[on_sale][:, None], ((when + 1) * DAY_SECONDS)[None, :]
        )
        open_from = np.maximum(coupons.sale_start[on_sale][:, None], second[None, :])
        share = np.where(inside & (open_until - open_from > 300), share, 0.0)
        pull = 1 + NEWCOMER_PULL * coupons.newcomer_pull[on_sale]
        size = self._demand.pairs[on_sale] * pull
        return weights * (size / np.maximum(norm, 1e-12))[:, None] * share
