"""What happens week by week: who is active, what they look at and what they buy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.sample_data import calendar, published
from ml.sample_data.calendar import DAY_SECONDS
from ml.sample_data.catalogue import Coupons, catalogue_scale
from ml.sample_data.choice import (
    Demand,
    Preferences,
    presence_by_week,
    weights_by_week,
)
from ml.sample_data.events import WEEK_SECONDS, EventLog, Pairs, Purchases, Visits
from ml.sample_data.names import Names
from ml.sample_data.sampling import draw_pairs, spread_over_weeks
from ml.sample_data.streams import stream
from ml.sample_data.users import Users

CELLS_PER_BLOCK = 4_000_000
# Early looks by day, from eight days before the sale to the day before it.
PREVIEW_DAYS = np.array([0.06, 0.08, 0.10, 0.12, 0.14, 0.15, 0.17, 0.18])
N_PREVIEW = len(PREVIEW_DAYS)
# Registration to first purchase, days: levels and quantiles.
LAG_LEVELS = (0.0, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 1.0)
# Weeks over which the first purchases of older users fade.
OLD_FADE = 24.0
LAG_DAYS = (0.002, 0.01, 0.04, 0.12, 1.0, 6.0, 27.0, 48.0, 150.0)
ACTIVE_SHARE = 0.36
SPREE_SHARE = 0.004
NEWCOMER_PULL = 2.0
# Coupons that pull this much are open to new members only.
MEMBERS_ONLY = 5.0
BURST_SHAPE = 4.0
MIN_STEERED_USERS = 5000
# Chance to buy a coupon of a kind bought 1, 2, 3, 4 or more times before.
HABIT = (0.002, 0.019, 0.1, 0.38)
# Chance that an early look ends in a purchase.
PREVIEW_BUYERS = 0.08
# Weight of a user's best day of the week over the worst is the square of this.
DAY_CONTRAST = 120.0


@dataclass
class Ghosts:
    """Coupons that are looked at but stand in no list."""

    first_day: np.ndarray
    display_days: np.ndarray
    looks: np.ndarray

    def __len__(self) -> int:
        return len(self.first_day)


def make_ghosts(n_users: int, seed: int) -> Ghosts:
    """Draw the coupons of no list: never bought by anyone in the sample."""
    rng = stream(seed, "ghosts")
    n = max(20, round(published.UNLISTED_COUPONS * catalogue_scale(n_users)))
    size = n_users / published.USERS
    looks = rng.lognormal(0, 0.9, n)
    looks *= published.UNLISTED_VISITS * size / 1.293 / looks.sum()
    return Ghosts(
        first_day=rng.integers(0, calendar.TEST_DAY - 1, n),
        display_days=rng.integers(2, 6, n),
        looks=looks,
    )


class Behaviour:
    """Simulates the log, one week after the other.

    Parameters
    ----------
    names, users, coupons, demand, preferences, ghosts
        The world.
    later
        A week, and the preferences that hold from it on.
    wanted
        Expected purchases per user over the year, beyond the first.
    seed
        Seed of all random streams.
    clock
        Hours of the day.
    """

    def __init__(
        self,
        names: Names,
        users: Users,
        coupons: Coupons,
        demand: Demand,
        preferences: Preferences,
        later: tuple[int, Preferences],
        ghosts: Ghosts,
        wanted: np.ndarray,
        seed: int,
        clock: calendar.HourClock,
    ) -> None:
        self.names = names
        self.users = users
        self.coupons = coupons
        self.demand = demand
        self._early_preferences = preferences
        self._drift_week, self._late_preferences = later
        self.ghosts = ghosts
        self.seed = seed
        self._events = EventLog(names, users, coupons, seed, clock)
        self._release_day = coupons.sale_start // DAY_SECONDS
        self._plan_purchases()
        self._plan_looks()
        self._plan_people(wanted)
        kind = (coupons.catalog_price * 47 + coupons.prefecture) * np.int64(
            len(names.genres)
        ) + coupons.genre
        _, self._kind = np.unique(kind, return_inverse=True)
        self._kind_size = np.bincount(self._kind)
        self._n_kinds = len(self._kind_size)
        self._is_campaign = coupons.campaign > 0
        self._history_key = np.empty(0, dtype=np.int64)
        self._history_count = np.empty(0, dtype=np.int64)
        self._awaited = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
        self._debt = np.zeros(len(coupons), dtype=np.int64)
        self._bought_keys = np.empty(0, dtype=np.int64)
        self._mood_week = -1
        self._mood = np.empty((0, 7), dtype=np.float32)

    @property
    def n_referrers(self) -> int:
        """Number of referrers in the page views."""
        return self._events.n_referrers

    def preferences(self, week: int) -> Preferences:
        """Preferences that hold in a week."""
        if week >= self._drift_week:
            return self._late_preferences
        return self._early_preferences

    # -- plans for the whole year -------------------------------------------------

    def _plan_purchases(self) -> None:
        rng = stream(self.seed, "purchase counts")
        demand = self.demand
        total = (rng.random(len(demand.sure)) < demand.sure).astype(np.int64)
        total += rng.poisson(np.maximum(demand.pairs - demand.sure, 0))
        self._buy_plan = spread_over_weeks(
            rng, total, demand.day_share, self._release_day
        )
        self._expected = np.zeros(calendar.N_WEEKS + 8)
        for offset in range(demand.day_share.shape[1]):
            week = (self._release_day + offset) // 7
            np.add.at(self._expected, week, demand.pairs * demand.day_share[:, offset])

    def _plan_looks(self) -> None:
        rng = stream(self.seed, "look counts")
        demand = self.demand
        on_sale = demand.day_share**0.8
        on_sale /= on_sale.sum(axis=1, keepdims=True)
        self._look_share = np.hstack(
            [
                demand.preview[:, None] * PREVIEW_DAYS[None, :],
                (1 - demand.preview)[:, None] * on_sale,
            ]
        )
        total = rng.poisson(demand.looks)
        self._look_plan = spread_over_weeks(
            rng, total, self._look_share, self._release_day - N_PREVIEW
        )
        ghosts = self.ghosts
        longest = int(ghosts.display_days.max())
        share = (np.arange(longest) < ghosts.display_days[:, None]) * 0.8 ** np.arange(
            longest
        )
        self._ghost_share = share / share.sum(axis=1, keepdims=True)
        total = np.maximum(rng.poisson(ghosts.looks), 1)
        self._ghost_plan = spread_over_weeks(
            rng, total, self._ghost_share, ghosts.first_day
        )

    def _plan_people(self, wanted: np.ndarray) -> None:
        users = self.users
        rng = stream(self.seed, "people")
        self._plan_first_purchases(rng)
        presence = presence_by_week(users)
        first = np.bincount(
            self._first_second[self._first_second >= 0] // WEEK_SECONDS,
            minlength=calendar.N_WEEKS,
        )[: calendar.N_WEEKS]
        weekly = np.maximum(
            self._expected[: calendar.N_WEEKS] - first,
            0.05 * self._expected[: calendar.N_WEEKS] + 1e-3,
        )
        viewing = presence * users.viewing[:, None].astype(np.float32)
        self._buying = weights_by_week(presence, wanted, weekly)
        drift = self._drift_week
        for weeks, taste in (
            (slice(0, drift), self._early_preferences),
            (slice(drift, None), self._late_preferences),
        ):
            self._buying[:, weeks] *= taste.level[:, None].astype(np.float32)
        pull = self._buying.sum(axis=0) / np.maximum(presence.sum(axis=0), 1e-9)
        viewing *= (pull / pull.mean()).astype(np.float32)[None, :]
        viewing[users.never_views] = 0
        curious = users.is_late & ~users.is_idle & (users.registered < self._log_end)
        week = np.arange(calendar.N_WEEKS)
        mean = viewing[viewing > 0].mean() if (viewing > 0).any() else 1.0
        viewing[curious] = (
            0.5 * mean * (week[None, :] >= users.registered_week[curious][:, None])
        )
        self._viewing = viewing.astype(np.float32)
        self._pace = (self._viewing / mean) ** 0.6
        probe = self._pace[:, calendar.TEST_WEEK - 2]
        values = probe[users.registered_week < calendar.TEST_WEEK - 2]
        low, high = 0.0, 50.0
        for _ in range(40):
            middle = (low + high) / 2
            if len(values) and (1 - np.exp(-middle * values)).mean() < ACTIVE_SHARE:
                low = middle
            else:
                high = middle
        self._pace_level = (low + high) / 2
        self._n_bought = np.zeros(len(users), dtype=np.int64)
        self._groups = self._expected_by_group(wanted)
        self._weekday_factor = np.ones(7)
        self._weekday_bought = np.zeros(7)

    def _steer_weekdays(self, day: np.ndarray) -> None:
        """Let the next weeks lean to weekdays that are behind their share."""
        self._weekday_bought += np.bincount(day, minlength=7)
        total = self._weekday_bought.sum()
        if total < 1000:
            return
        target = np.array(published.WEEKDAY_PURCHASES)
        ratio = target / target.sum() / (self._weekday_bought / total)
        self._weekday_factor = np.clip(self._weekday_factor * ratio**0.8, 0.4, 2.5)

    def _expected_by_group(self, wanted) -> list[tuple[np.ndarray, np.ndarray]]:
        """Prefecture and age groups, and their expected purchases by week."""
        users = self.users
        last = calendar.N_TRAIN_WEEKS
        by_week = self._buying[:, :last]
        scale = wanted / np.maximum(by_week.sum(axis=1), 1e-9)
        week = self._first_second // WEEK_SECONDS
        place = np.where(
            users.has_prefecture, users.home_prefecture, len(self.names.prefectures)
        )
        upper = np.array([row[0] for row in published.AGE_PURCHASES])
        age = np.minimum(np.searchsorted(upper, users.age), len(upper) - 1)
        groups = []
        for group, size in ((place, len(self.names.prefectures) + 1), (age, 5)):
            expected = np.zeros((size, last))
            for number in range(last):
                expected[:, number] = np.bincount(
                    group, by_week[:, number] * scale, size
                ) + np.bincount(group[week == number], minlength=size)
            if len(users) >= MIN_STEERED_USERS:
                groups.append((group, expected))
        return groups

    @property
    def _log_end(self) -> int:
        return calendar.TEST_DAY * DAY_SECONDS

    def _plan_first_purchases(self, rng: np.random.Generator) -> None:
        """Give every user but the late ones one certain purchase."""
        users = self.users
        n = len(users)
        log_start = calendar.FIRST_LOG_DAY * DAY_SECONDS
        lag = np.interp(rng.random(n), LAG_LEVELS, LAG_DAYS) * DAY_SECONDS
        second = users.registered + lag
        old = users.registered < log_start
        limit = np.where(users.withdrawn >= 0, users.withdrawn, self._log_end)
        limit = np.minimum(limit, self._log_end) - 3600
        begin = np.maximum(users.registered, log_start)
        fading = -np.log1p(-rng.random(n) * (1 - np.exp(-52 / OLD_FADE))) * OLD_FADE * 7
        second = np.where(old, log_start + fading * DAY_SECONDS, second)
        beyond = second >= limit
        again = begin + rng.random(n) * np.maximum(limit - begin, 1)
        second = np.where(beyond, again, second)
        second[users.is_late] = -1
        late = np.flatnonzero(users.is_late)
        first = np.maximum(users.registered[late] + 600, self._log_end)
        last = (calendar.TEST_DAY + 7) * DAY_SECONDS - 600
        second[late] = first + rng.random(len(late)) * np.maximum(last - first, 1)
        self._first_second = second.astype(np.int64)

    # -- one week -----------------------------------------------------------------

    def simulate(self, week: int) -> tuple[Purchases, Visits]:
        """Return the events of a week; weeks must be asked for in order."""
        rng = stream(self.seed, "week", week)
        active, chance = self._active(rng, week)
        first = self._first_purchases(rng, week)
        habit = self._habit(rng, week)
        awaited = self._awaited_purchases(rng, week)
        due = [np.concatenate(parts) for parts in zip(habit, awaited, strict=True)]
        due.append(self._choose_days(rng, week, due[0], due[1], is_look=False))
        user, item, day, is_first = _stack(first, due)
        user, item, day, is_first = self._new_pairs(user, item, day, is_first)
        coupon, buy_n, look_n = self._demand_of(week, item)
        bought, looked, look_day = self._choose(
            rng, week, active, chance, coupon, buy_n, look_n, (user, item)
        )
        bought_day = self._choose_days(rng, week, *bought, is_look=False)
        user = np.concatenate([user, bought[0]])
        item = np.concatenate([item, bought[1]])
        day = np.concatenate([day, bought_day])
        is_first = np.concatenate([is_first, np.zeros(len(bought[0]), dtype=bool)])
        user, item, day, is_first = self._new_pairs(user, item, day, is_first)
        key = user * np.int64(len(self.coupons)) + item
        self._n_bought += np.bincount(user, minlength=len(self.users))
        self._steer_weekdays(day)
        self._remember(week, key, user, item)
        self._await(week, *looked, look_day)
        keep = self._not_bought(*looked, look_day, key, week)
        ghost = self._ghost_looks(rng, week, active, chance)
        look_user = np.concatenate([looked[0][keep], ghost[0]])
        look_item = np.concatenate([looked[1][keep], ghost[1]])
        look_day = np.concatenate([look_day[keep], ghost[2]])
        keep = look_day >= 0
        bought_pairs = Pairs(user, item, day, is_first)
        looks = Pairs(
            look_user[keep],
            look_item[keep],
            look_day[keep],
            np.zeros(int(keep.sum()), dtype=bool),
        )
        return self._events.rows(rng, week, bought_pairs, looks)

    def _new_pairs(self, user, item, day, is_first):
        """Drop pairs without a day, repeated ones, and those bought before."""
        keep = day >= 0
        user, item, day, is_first = user[keep], item[keep], day[keep], is_first[keep]
        key = user * np.int64(len(self.coupons)) + item
        _, once = np.unique(key, return_index=True)
        once = once[~np.isin(key[once], self._bought_keys)]
        once.sort()
        return user[once], item[once], day[once], is_first[once]

    def _habit(self, rng, week: int) -> tuple[np.ndarray, np.ndarray]:
        """Purchases of a kind (prefecture, genre, price) that the user bought before.

        Looked at once per coupon, in the week of its release.
        """
        user, item, chance = self._habit_chances(week)
        taken = rng.random(len(user)) < chance
        return user[taken], item[taken]

    def _habit_chances(self, week: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Users, coupons and chances of habitual purchases in a week."""
        released = np.flatnonzero((self._release_day // 7 == week) & ~self._is_campaign)
        kind = self._kind[released]
        order = np.argsort(kind, kind="stable")
        released, kind = released[order], kind[order]
        n_kinds = np.int64(self._n_kinds)
        history_kind = self._history_key % n_kinds
        low = np.searchsorted(kind, history_kind, side="left")
        high = np.searchsorted(kind, history_kind, side="right")
        times = high - low
        row = np.repeat(np.arange(len(times)), times)
        within = np.arange(len(row)) - np.repeat(np.cumsum(times) - times, times)
        count = np.minimum(self._history_count[row], len(HABIT)) - 1
        user = (self._history_key // n_kinds)[row]
        item = released[low[row] + within]
        here = self._buying[user, week] > 0
        return user[here], item[here], np.array(HABIT)[count][here]

    def _await(self, week: int, user, item, day) -> None:
        """Remember who looked at a coupon before its sale."""
        early = (day >= 0) & (week * 7 + day < self._release_day[item])
        self._awaited = (
            np.concatenate([self._awaited[0], user[early]]),
            np.concatenate([self._awaited[1], item[early]]),
        )

    def _awaited_purchases(self, rng, week: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw who of those that looked early buys, in the week of the release."""
        user, item = self._awaited
        due = self._release_day[item] < (week + 1) * 7
        taken = due & (rng.random(len(user)) < PREVIEW_BUYERS)
        self._awaited = (user[~due], item[~due])
        return user[taken], item[taken]

    def _active(
        self, rng: np.random.Generator, week: int
    ) -> tuple[np.ndarray, np.ndarray]:
        pace = self._pace[:, week] * self._pace_level
        chance = 1 - np.exp(-pace)
        chance = np.where(self._buying[:, week] > 0, np.maximum(chance, 0.02), chance)
        active = np.flatnonzero(rng.random(len(chance)) < chance)
        return active, chance[active]

    def _first_purchases(
        self, rng: np.random.Generator, week: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Certain purchases due in this week: users, coupons, days."""
        due = self._first_due(week)
        empty = np.empty(0, dtype=np.int64)
        users, items, days = [empty], [empty], [empty]
        on_sale = self._on_sale(week)
        step = max(1, CELLS_PER_BLOCK // max(len(on_sale), 1))
        for start in range(0, len(due), step):
            who = due[start : start + step]
            total = np.cumsum(self._first_weights(week, on_sale, who).T, axis=1)
            level = rng.random(len(who)) * total[:, -1]
            chosen = (total <= level[:, None]).sum(axis=1)
            ok = total[:, -1] > 0
            users.append(who[ok])
            items.append(on_sale[np.minimum(chosen[ok], len(on_sale) - 1)])
            days.append(self._first_second[who[ok]] // DAY_SECONDS - week * 7)
        return np.concatenate(users), np.concatenate(items), np.concatenate(days)

    def _first_due(self, week: int) -> np.ndarray:
        second = self._first_second
        return np.flatnonzero((second >= 0) & (second // WEEK_SECONDS == week))

    def _on_sale(self, week: int) -> np.ndarray:
        return np.flatnonzero(
            (self.coupons.sale_start < (week + 1) * WEEK_SECONDS)
            & (self.coupons.sale_end > week * WEEK_SECONDS)
        )

    def _first_weights(
        self, week: int, on_sale: np.ndarray, who: np.ndarray
    ) -> np.ndarray:
        """Weights of coupons (rows) for the certain purchases of users (columns)."""
        second = self._first_second[who]
        when = second // DAY_SECONDS
        weights = self.preferences(week).block(on_sale, who).astype(np.float64)
        norm = self.preferences(week).typical[on_sale]
        offset = when[None, :] - self._release_day[on_sale][:, None]
        inside = (offset >= 0) & (offset < self.demand.day_share.shape[1])
        share = self.demand.day_share[on_sale[:, None], np.where(inside, offset, 0)]
        open_until = np.minimum(
            self.coupons.sale_end[on_sale][:, None], ((when + 1) * DAY_SECONDS)[None, :]
        )
        open_from = np.maximum(
            self.coupons.sale_start[on_sale][:, None], second[None, :]
        )
        share = np.where(inside & (open_until - open_from > 300), share, 0.0)
        pull = 1 + NEWCOMER_PULL * self.coupons.newcomer_pull[on_sale]
        size = self.demand.pairs[on_sale] * pull
        return weights * (size / np.maximum(norm, 1e-12))[:, None] * share

    # -- the truth of the test week -------------------------------------------------

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
        coupons = np.flatnonzero(self.coupons.is_test)
        n_users = len(self.users)
        intensity = np.zeros((n_users, len(coupons)), dtype=np.float32)
        day = self._release_day[coupons][:, None] + np.arange(
            self.demand.day_share.shape[1]
        )
        inside = np.where(day // 7 == week, self.demand.day_share[coupons], 0)
        expected = self.demand.pairs[coupons] * inside.sum(axis=1)
        step = max(1, CELLS_PER_BLOCK // n_users)
        everyone = np.arange(n_users)
        for start in range(0, len(coupons), step):
            rows = coupons[start : start + step]
            weights = self.preferences(week).block(rows, everyone)
            weights *= self._buying[:, week]
            self._close_to_members(weights, rows, everyone)
            total = weights.sum(axis=1, dtype=np.float64)
            factor = expected[start : start + step] / np.maximum(total, 1e-30)
            weights *= factor[:, None].astype(np.float32)
            intensity[:, start : start + step] = weights.T
        column_of = np.full(len(self.coupons), -1, dtype=np.int64)
        column_of[coupons] = np.arange(len(coupons))
        user, item, chance = self._habit_chances(week)
        ours = column_of[item] >= 0
        np.add.at(
            intensity,
            (user[ours], column_of[item[ours]]),
            chance[ours].astype(np.float32),
        )
        user, item = self._awaited
        ours = (column_of[item] >= 0) & (self._release_day[item] < (week + 1) * 7)
        np.add.at(
            intensity, (user[ours], column_of[item[ours]]), np.float32(PREVIEW_BUYERS)
        )
        due = self._first_due(week)
        on_sale = self._on_sale(week)
        weights = self._first_weights(week, on_sale, due)
        weights /= np.maximum(weights.sum(axis=0), 1e-30)
        listed = np.flatnonzero(self.coupons.is_test[on_sale])
        intensity[np.ix_(due, column_of[on_sale[listed]])] += weights[listed].T
        return coupons, intensity

    def _demand_of(
        self, week: int, bought: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Coupons with something left to place: purchases and looks of each."""
        n = len(self.coupons)
        buy = np.zeros(n, dtype=np.int64)
        look = np.zeros(n, dtype=np.int64)
        for target, plan in ((buy, self._buy_plan), (look, self._look_plan)):
            coupons, counts = plan.get(week, (np.empty(0, dtype=np.int64),) * 2)
            target[coupons] = counts
        taken = np.bincount(bought, minlength=n)
        # What certain purchases take beyond the plan counts against later weeks.
        self._debt += taken
        paid = np.minimum(buy, self._debt)
        buy -= paid
        self._debt -= paid
        coupon = np.flatnonzero((buy > 0) | (look > 0))
        coupon = coupon[np.argsort(self.coupons.genre[coupon], kind="stable")]
        return coupon, buy[coupon], look[coupon]

    def _choose(self, rng, week, active, chance, coupon, buy_n, look_n, due):
        """Pairs bought, pairs looked at, and the days of the looks."""
        empty = np.empty(0, dtype=np.int64)
        if len(active) == 0 or len(coupon) == 0:
            return (empty, empty), (empty, empty), empty
        burst = rng.gamma(BURST_SHAPE, 1 / BURST_SHAPE, len(active))
        burst *= np.where(rng.random(len(active)) < SPREE_SHARE, 4.0, 1.0)
        buy_weight = self._buying[active, week] / chance * burst
        buy_weight *= self._steering(week)[active]
        look_weight = self._viewing[active, week] / chance * np.sqrt(burst)
        buy_weight = buy_weight.astype(np.float32)
        look_weight = look_weight.astype(np.float32)
        column_of = np.full(len(self.users), -1, dtype=np.int64)
        column_of[active] = np.arange(len(active))
        row_of = np.full(len(self.coupons), -1, dtype=np.int64)
        row_of[coupon] = np.arange(len(coupon))
        n_coupons = np.int64(len(self.coupons))
        taken_user = np.concatenate([self._bought_keys // n_coupons, due[0]])
        taken_item = np.concatenate([self._bought_keys % n_coupons, due[1]])
        taken_row, taken_column = row_of[taken_item], column_of[taken_user]
        parts: list[tuple[np.ndarray, ...]] = []
        step = max(1, CELLS_PER_BLOCK // len(active))
        for start in range(0, len(coupon), step):
            rows = coupon[start : start + step]
            weights = self.preferences(week).block(rows, active)
            looks = np.sqrt(weights)
            weights *= buy_weight
            self._close_to_members(weights, rows, active)
            looks *= look_weight
            inside = (taken_row >= start) & (taken_row < start + len(rows))
            inside &= taken_column >= 0
            weights[taken_row[inside] - start, taken_column[inside]] = 0
            row, column = draw_pairs(rng, weights, buy_n[start : start + step])
            look_row, look_column = draw_pairs(rng, looks, look_n[start : start + step])
            parts.append(
                (active[column], rows[row], active[look_column], rows[look_row])
            )
        bought_user, bought_item, look_user, look_item = (
            np.concatenate(column) for column in zip(*parts, strict=True)
        )
        look_day = self._choose_days(rng, week, look_user, look_item, is_look=True)
        return (bought_user, bought_item), (look_user, look_item), look_day

    def _close_to_members(
        self, weights: np.ndarray, coupons: np.ndarray, users: np.ndarray
    ) -> None:
        """Take away coupons for new members from those who bought before."""
        closed = np.flatnonzero(self.coupons.newcomer_pull[coupons] >= MEMBERS_ONLY)
        if len(closed):
            weights[np.ix_(closed, np.flatnonzero(self._n_bought[users] > 0))] = 0

    def _steering(self, week: int) -> np.ndarray:
        """Factor per user that brings groups to their published yearly totals.

        Groups are prefectures (with "not registered") and ages. A group that is
        behind its expectation so far buys a little more, one ahead a little less.
        """
        factor = np.ones(len(self.users))
        if not 3 <= week < calendar.TEST_WEEK:
            return factor
        for group, expected in self._groups:
            actual = np.bincount(group, self._n_bought, expected.shape[0])
            ahead = min(week + 6, calendar.N_TRAIN_WEEKS)
            so_far = expected[:, :week].sum(axis=1)
            soon = np.maximum(expected[:, week:ahead].sum(axis=1), 1.0)
            factor *= np.clip(1 + (so_far - actual) / soon, 0.5, 2.0)[group]
        return factor

    def _choose_days(self, rng, week, user, item, is_look) -> np.ndarray:
        """Day of the week for each pair, -1 where no day fits."""
        if len(user) == 0:
            return np.empty(0, dtype=np.int64)
        share = self._look_share if is_look else self.demand.day_share
        first = self._release_day[item] - (N_PREVIEW if is_look else 0)
        day = week * 7 + np.arange(7)
        offset = day[None, :] - first[:, None]
        inside = (offset >= 0) & (offset < share.shape[1])
        weight = np.where(inside, share[item[:, None], np.where(inside, offset, 0)], 0)
        if not is_look:
            weight *= self._weekday_factor
        mood = self._day_mood(week, user)
        weight *= np.where(self.coupons.is_free[item][:, None], 1.0, mood)
        return self._pick_day(rng, week, user, weight)

    def _day_mood(self, week: int, user: np.ndarray) -> np.ndarray:
        """Users come on few days of their active weeks: weights, shape (n, 7)."""
        if self._mood_week != week:
            level = stream(self.seed, "days", week).random(
                (len(self.users), 7), dtype=np.float32
            )
            self._mood_week, self._mood = week, DAY_CONTRAST ** (2 * level - 1)
        return self._mood[user]

    def _pick_day(self, rng, week, user, weight) -> np.ndarray:
        day = week * 7 + np.arange(7)
        registered = self.users.registered[user] // DAY_SECONDS
        weight = np.where(day[None, :] > registered[:, None], weight, 0)
        left = self.users.withdrawn[user]
        gone = (left >= 0)[:, None] & (day[None, :] >= (left // DAY_SECONDS)[:, None])
        weight = np.where(gone | (day < calendar.FIRST_LOG_DAY)[None, :], 0, weight)
        total = np.cumsum(weight, axis=1)
        level = rng.random(len(user)) * total[:, -1]
        chosen = (total <= level[:, None]).sum(axis=1)
        return np.where(total[:, -1] > 0, np.minimum(chosen, 6), -1)

    def _ghost_looks(self, rng, week, active, chance):
        empty = np.empty(0, dtype=np.int64)
        coupons, counts = self._ghost_plan.get(week, (empty, empty))
        weight = self._viewing[active, week] / chance
        total = np.cumsum(weight.astype(np.float64))
        if len(coupons) == 0 or len(total) == 0 or total[-1] <= 0:
            return empty, empty, empty
        item = np.repeat(coupons, counts)
        column = np.searchsorted(total, rng.random(len(item)) * total[-1], "right")
        user = active[np.minimum(column, len(active) - 1)]
        key = np.unique(user * np.int64(len(self.ghosts)) + item)
        user, item = key // len(self.ghosts), key % len(self.ghosts)
        day = week * 7 + np.arange(7)
        offset = day[None, :] - self.ghosts.first_day[item][:, None]
        inside = (offset >= 0) & (offset < self._ghost_share.shape[1])
        share = self._ghost_share[item[:, None], np.where(inside, offset, 0)]
        share = np.where(inside, share, 0) * self._day_mood(week, user)
        day = self._pick_day(rng, week, user, share)
        return user, item + len(self.coupons), day

    def _not_bought(self, user, item, day, bought_key, week) -> np.ndarray:
        """Mark looks that are no part of a purchase; early looks stay in any case."""
        key = user * np.int64(len(self.coupons)) + item
        early = week * 7 + day < self._release_day[item]
        return early | ~(np.isin(key, bought_key) | np.isin(key, self._bought_keys))

    def _remember(self, week: int, key, user, item) -> None:
        """Keep the pairs of coupons still on sale next week, and kinds bought."""
        keys = np.concatenate([self._bought_keys, key])
        ends = self.coupons.sale_end[keys % len(self.coupons)]
        self._bought_keys = keys[ends > (week + 1) * WEEK_SECONDS]
        many = self._kind_size[self._kind[item]] > 1
        kinds = user[many] * np.int64(self._n_kinds) + self._kind[item[many]]
        both = np.concatenate([self._history_key, kinds])
        counts = np.concatenate(
            [self._history_count, np.ones(len(kinds), dtype=np.int64)]
        )
        self._history_key, where = np.unique(both, return_inverse=True)
        self._history_count = np.bincount(where, counts, len(self._history_key)).astype(
            np.int64
        )


def _stack(first, due):
    """Join certain first purchases with the other purchases that are due."""
    is_first = np.zeros(len(first[0]) + len(due[0]), dtype=bool)
    is_first[: len(first[0])] = True
    user, item, day = (np.concatenate(parts) for parts in zip(first, due, strict=True))
    return user, item, day, is_first
