"""What happens week by week: who is active, what they look at and what they buy."""

from __future__ import annotations

import numpy as np

from ml.sample_data import calendar
from ml.sample_data.calendar import WEEK_SECONDS
from ml.sample_data.choice import Choice
from ml.sample_data.context import Context
from ml.sample_data.days import DayChoice
from ml.sample_data.demand import Demand
from ml.sample_data.events import MOST_IN_WEEK, EventLog, Pairs, Purchases, Visits
from ml.sample_data.first_purchases import FirstPurchases
from ml.sample_data.ghosts import Ghosts
from ml.sample_data.memory import PREVIEW_BUYERS, Memory, UsersAndCoupons
from ml.sample_data.plans import LookPlan, PurchasePlan
from ml.sample_data.preferences import TasteHistory
from ml.sample_data.reach import own_prefecture_shares
from ml.sample_data.sampling import turns
from ml.sample_data.steering import Steering, WeekdaySteering
from ml.sample_data.streams import stream
from ml.sample_data.turnout import Turnout

# Least part of a coupon's expected buyers that is left to choice.
LEAST_CHOICE = 0.1


class Behaviour:
    """Simulates the log, one week after the other.

    Parameters
    ----------
    context, demand, tastes, ghosts
        The world.
    wanted
        Expected purchases per user over the year, beyond the first.
    """

    def __init__(
        self,
        context: Context,
        demand: Demand,
        tastes: TasteHistory,
        ghosts: Ghosts,
        wanted: np.ndarray,
    ) -> None:
        self._context = context
        self._demand = demand
        self._tastes = tastes
        self._n_ghosts = len(ghosts)
        self._events = EventLog(context)
        self._purchase_plan = PurchasePlan(context, demand)
        self._look_plan = LookPlan(context, demand, ghosts)
        self._first = FirstPurchases(context, demand)
        expected = self._purchase_plan.expected[: calendar.N_WEEKS]
        beyond = np.maximum(expected - self._first.by_week(), 0.05 * expected + 1e-3)
        self._turnout = Turnout(context, wanted, beyond, tastes)
        self._memory = Memory(context)
        self._steering = self._make_steering(wanted)
        self._weekdays = WeekdaySteering()
        self._days = DayChoice(context)
        self._choice = Choice(
            context, tastes, self._turnout, self._memory, self._steering
        )

    def _make_steering(self, wanted: np.ndarray) -> Steering:
        """Steering by what users and genres are expected to buy each week."""
        context = self._context
        expected = self._turnout.expected_purchases(wanted)
        week = self._first.second // WEEK_SECONDS
        first = np.flatnonzero((week >= 0) & (week < calendar.N_TRAIN_WEEKS))
        expected[first, week[first]] += 1
        own = own_prefecture_shares(
            context.names, context.users, context.coupons, wanted
        )
        return Steering(context, own, expected, self._purchase_plan.by_genre())

    @property
    def n_referrers(self) -> int:
        """Number of referrers in the page views."""
        return self._events.n_referrers

    def simulate(self, week: int) -> tuple[Purchases, Visits]:
        """Return the events of a week; weeks must be asked for in order."""
        rng = stream(self._context.seed, "week", week)
        active, chance = self._turnout.active(rng, week)
        settled = self._settled(rng, week)
        left = self._purchase_plan.left(rng, week, settled.item)
        bought, looked = self._choice.draw(
            rng,
            week,
            active,
            chance,
            (left, self._look_plan.looks(week)),
            (settled.user, settled.item),
        )
        look_day = self._days.draw(rng, week, *looked, self._look_plan.days)
        bought_day = self._purchase_days(rng, week, bought)
        pairs = self._new_pairs(settled.with_more(*bought, bought_day))
        pairs = within_limit(rng, pairs)
        self._weekdays.observe(pairs.day)
        self._memory.remember(week, pairs.user, pairs.item)
        self._memory.wait(week, looked, look_day)
        keep = self._not_bought(week, looked, look_day, pairs)
        ghost_user, ghost, ghost_day = self._ghost_looks(rng, week, active, chance)
        looks = Pairs.of(looked[0][keep], looked[1][keep], look_day[keep])
        looks = looks.with_more(
            ghost_user, ghost + len(self._context.coupons), ghost_day
        )
        looks = looks.at(looks.day >= 0)
        purchases, visits = self._events.rows(rng, week, pairs, looks)
        self._steering.observe(purchases)
        return purchases, visits

    def _settled(self, rng: np.random.Generator, week: int) -> Pairs:
        """Purchases that do not wait for the draw: certain, habitual, awaited."""
        first = self._first.draw(rng, week, self._tastes.at(week))
        user, item, chance = self._choice.habit_chances(week)
        taken = rng.random(len(user)) < chance
        awaited = self._memory.draw_awaited(rng, week)
        due = (
            np.concatenate([user[taken], awaited[0]]),
            np.concatenate([item[taken], awaited[1]]),
        )
        day = self._purchase_days(rng, week, due)
        certain = Pairs.of(*first, is_first=True)
        return self._new_pairs(certain.with_more(*due, day))

    def _purchase_days(
        self, rng: np.random.Generator, week: int, pairs: UsersAndCoupons
    ) -> np.ndarray:
        return self._days.draw(
            rng, week, *pairs, self._purchase_plan.days, self._weekdays.factor
        )

    def _new_pairs(self, pairs: Pairs) -> Pairs:
        """Drop pairs without a day, repeated ones, and those bought before."""
        pairs = pairs.at(pairs.day >= 0)
        key = self._memory.key(pairs.user, pairs.item)
        _, once = np.unique(key, return_index=True)
        once = once[~self._memory.has(key[once])]
        once.sort()
        return pairs.at(once)

    def _not_bought(
        self, week: int, looks: UsersAndCoupons, day: np.ndarray, bought: Pairs
    ) -> np.ndarray:
        """Mark looks that are no part of a purchase; early looks stay in any case."""
        key = self._memory.key(*looks)
        bought_key = self._memory.key(bought.user, bought.item)
        early = week * 7 + day < self._context.coupons.release_day[looks[1]]
        return early | ~(np.isin(key, bought_key) | self._memory.has(key))

    def _ghost_looks(
        self,
        rng: np.random.Generator,
        week: int,
        active: np.ndarray,
        chance: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw looks at coupons of no list: users, coupons, days 0..6."""
        item = self._look_plan.ghost_looks(week)
        weight = self._turnout.viewing[active, week] / chance
        total = np.cumsum(weight.astype(np.float64))
        if len(item) == 0 or len(total) == 0 or total[-1] <= 0:
            return (np.empty(0, dtype=np.int64),) * 3
        column = np.searchsorted(total, rng.random(len(item)) * total[-1], "right")
        user = active[np.minimum(column, len(active) - 1)]
        key = np.unique(user * np.int64(self._n_ghosts) + item)
        user, item = key // self._n_ghosts, key % self._n_ghosts
        day = self._days.draw(rng, week, user, item, self._look_plan.ghost_days)
        return user, item, day

    def test_intensity(self) -> tuple[np.ndarray, np.ndarray]:
        """Expected purchases of test coupons in the test week, before it begins.

        To be called after week 51 and before week 52 are simulated.

        Returns
        -------
        coupons, intensity
            Test coupons, and for each user (rows) and test coupon (columns) the
            expected purchases given all tastes and the log so far.
        """
        week = calendar.TEST_WEEK
        all_coupons, demand = self._context.coupons, self._demand
        coupons = np.flatnonzero(all_coupons.is_test)
        day = all_coupons.release_day[coupons][:, None] + np.arange(
            demand.day_share.shape[1]
        )
        inside = np.where(day // 7 == week, demand.day_share[coupons], 0)
        expected = demand.pairs[coupons] * inside.sum(axis=1)
        user, column, chance = self._expected_settled(coupons)
        # Settled purchases count against the coupon's buyers by choice.
        settled = np.bincount(column, chance, len(coupons))
        by_choice = np.maximum(expected - settled, LEAST_CHOICE * expected)
        intensity = self._choice.expect(week, coupons, by_choice)
        np.add.at(intensity, (user, column), chance)
        return coupons, intensity

    def _expected_settled(
        self, coupons: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return what is expected of the test week before any draw, pair by pair.

        Users, positions in ``coupons`` and chances of certain, habitual and awaited
        purchases; a pair may come twice.
        """
        week = calendar.TEST_WEEK
        waiting = self._memory.waiting(week)
        due, on_sale = self._first.due(week), self._first.on_sale(week)
        weights = self._first.weights(self._tastes.at(week), on_sale, due)
        weights /= np.maximum(weights.sum(axis=0), 1e-30)
        parts = (
            self._choice.habit_chances(week),
            (*waiting, np.full(len(waiting[0]), PREVIEW_BUYERS)),
            (np.tile(due, len(on_sale)), np.repeat(on_sale, len(due)), weights.ravel()),
        )
        user, item, chance = (
            np.concatenate(column) for column in zip(*parts, strict=True)
        )
        column_of = np.full(len(self._context.coupons), -1, dtype=np.int64)
        column_of[coupons] = np.arange(len(coupons))
        ours = column_of[item] >= 0
        return user[ours], column_of[item[ours]], chance[ours].astype(np.float32)


def within_limit(rng: np.random.Generator, pairs: Pairs) -> Pairs:
    """Drop pairs, drawn at random, of users who bought too many in a week."""
    order = rng.permutation(len(pairs.user))
    kept = order[turns(pairs.user[order]) < MOST_IN_WEEK]
    kept.sort()
    return pairs.at(kept)
