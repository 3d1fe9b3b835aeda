"""How many users buy and look at each coupon in each week."""

from __future__ import annotations

import numpy as np

from ml.sample_data import calendar
from ml.sample_data.context import Context
from ml.sample_data.coupons import FEW_COUPONS
from ml.sample_data.days import DayPlan
from ml.sample_data.demand import Demand
from ml.sample_data.ghosts import Ghosts
from ml.sample_data.looks import PREVIEW_DAYS
from ml.sample_data.sampling import spread_over_weeks
from ml.sample_data.streams import stream


class PurchasePlan:
    """Buyers of each coupon by week, less those who bought it anyway.

    Parameters
    ----------
    context
        The world.
    demand
        Expected buyers.

    Attributes
    ----------
    days
        When the purchases of each coupon happen.
    expected
        Expected buyers of all coupons by week.
    """

    def __init__(self, context: Context, demand: Demand) -> None:
        self._coupons = context.coupons
        self._n_genres = len(context.names.genres)
        rng = stream(context.seed, "purchase counts")
        total = (rng.random(len(demand.sure)) < demand.sure).astype(np.int64)
        total += self._draw_extra(rng, np.maximum(demand.pairs - demand.sure, 0))
        release_day = self._coupons.release_day
        self.days = DayPlan(demand.day_share, release_day, self._coupons.is_free)
        self._plan = spread_over_weeks(rng, total, demand.day_share, release_day)
        self._last_week = np.full(len(total), -1)
        for week in sorted(self._plan):
            self._last_week[self._plan[week][0]] = week
        self.expected = np.zeros(calendar.N_WEEKS + 8)
        for offset in range(demand.day_share.shape[1]):
            week = (release_day + offset) // 7
            np.add.at(self.expected, week, demand.pairs * demand.day_share[:, offset])
        self._debt = np.zeros(len(total), dtype=np.int64)
        self._genre_debt = np.zeros(self._n_genres, dtype=np.int64)

    def _draw_extra(self, rng: np.random.Generator, mean: np.ndarray) -> np.ndarray:
        """Draw buyers per coupon; the total of each genre is the expected one.

        Where few coupons make a genre, each has its expected number, or one off.
        """
        extra = np.zeros(len(mean), dtype=np.int64)
        group = self._coupons.genre * 2 + self._coupons.is_test
        is_small = np.bincount(self._coupons.genre) < FEW_COUPONS
        for number in np.unique(group):
            members = np.flatnonzero(group == number)
            expected = mean[members].sum()
            if is_small[number // 2]:
                order = rng.permutation(members)
                passed = np.floor(np.cumsum(mean[order]) + rng.random())
                extra[order] = np.diff(passed, prepend=0)
            elif expected > 0:
                n = int(np.floor(expected + rng.random()))
                extra[members] = rng.multinomial(n, mean[members] / expected)
        return extra

    def by_genre(self) -> np.ndarray:
        """Planned buyers by genre and week of the log, shape (13, 52)."""
        planned = np.zeros((self._n_genres, calendar.N_TRAIN_WEEKS))
        for week, (coupons, counts) in self._plan.items():
            if week < calendar.N_TRAIN_WEEKS:
                np.add.at(planned[:, week], self._coupons.genre[coupons], counts)
        return planned

    def left(
        self, rng: np.random.Generator, week: int, bought: np.ndarray
    ) -> np.ndarray:
        """Buyers of each coupon that are still to be found in a week.

        Parameters
        ----------
        rng
            Source of chance.
        week
            Weeks must be asked for in order.
        bought
            Coupons of this week's purchases that are settled already.
        """
        buy = np.zeros(len(self._coupons), dtype=np.int64)
        if week in self._plan:
            coupons, counts = self._plan[week]
            buy[coupons] = counts
        # What is settled beyond the plan counts against later weeks.
        self._debt += np.bincount(bought, minlength=len(buy))
        paid = np.minimum(buy, self._debt)
        buy -= paid
        self._debt -= paid
        self._pay_by_genre(rng, week, buy)
        return buy

    def _pay_by_genre(
        self, rng: np.random.Generator, week: int, buy: np.ndarray
    ) -> None:
        """Let the genre pay what a coupon can no longer pay itself.

        Takes buyers beyond the first from the coupons' numbers in ``buy``.
        """
        genre_of = self._coupons.genre
        over = np.flatnonzero((self._debt > 0) & (self._last_week <= week))
        np.add.at(self._genre_debt, genre_of[over], self._debt[over])
        self._debt[over] = 0
        spare = np.where(self._coupons.campaign > 0, 0, np.maximum(buy - 1, 0))
        for genre in np.flatnonzero(self._genre_debt > 0):
            members = np.flatnonzero((spare > 0) & (genre_of == genre))
            n = min(int(self._genre_debt[genre]), int(spare[members].sum()))
            if n > 0:
                buy[members] -= rng.multivariate_hypergeometric(
                    spare[members], n, method="marginals"
                )
                self._genre_debt[genre] -= n


class LookPlan:
    """Users who look without buying, by week, for coupons and for those of no list.

    Parameters
    ----------
    context, demand, ghosts
        The world.

    Attributes
    ----------
    days, ghost_days
        When the looks of coupons, and of those of no list, happen.
    """

    def __init__(self, context: Context, demand: Demand, ghosts: Ghosts) -> None:
        rng = stream(context.seed, "look counts")
        self._n = len(context.coupons)
        on_sale = demand.day_share**0.8
        on_sale /= on_sale.sum(axis=1, keepdims=True)
        share = np.hstack(
            [
                demand.preview[:, None] * PREVIEW_DAYS[None, :],
                (1 - demand.preview)[:, None] * on_sale,
            ]
        )
        first_day = context.coupons.release_day - len(PREVIEW_DAYS)
        self.days = DayPlan(share, first_day, context.coupons.is_free)
        total = rng.poisson(demand.looks)
        self._plan = spread_over_weeks(rng, total, share, first_day)
        share = ghosts.day_shares()
        self.ghost_days = DayPlan(
            share, ghosts.first_day, np.zeros(len(ghosts), dtype=bool)
        )
        total = np.maximum(rng.poisson(ghosts.looks), 1)
        self._ghost_plan = spread_over_weeks(rng, total, share, ghosts.first_day)

    def looks(self, week: int) -> np.ndarray:
        """Users who look at each coupon in a week."""
        look = np.zeros(self._n, dtype=np.int64)
        if week in self._plan:
            coupons, counts = self._plan[week]
            look[coupons] = counts
        return look

    def ghost_looks(self, week: int) -> np.ndarray:
        """Coupons of no list that are looked at in a week, once per look."""
        if week not in self._ghost_plan:
            return np.empty(0, dtype=np.int64)
        return np.repeat(*self._ghost_plan[week])
