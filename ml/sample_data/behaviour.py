"""What happens week by week: who is active, what they look at and what they buy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.sample_data import calendar, published
from ml.sample_data.calendar import DAY_SECONDS
from ml.sample_data.catalogue import NOON, Coupons, catalogue_scale
from ml.sample_data.choice import (
    REPEAT_SHARE,
    Demand,
    Preferences,
    presence_by_week,
    weights_by_week,
)
from ml.sample_data.names import Names
from ml.sample_data.streams import stream
from ml.sample_data.users import Users

WEEK_SECONDS = 7 * DAY_SECONDS
CELLS_PER_BLOCK = 4_000_000
PREVIEW_DAYS = np.array([0.05, 0.10, 0.10, 0.15, 0.25, 0.35])
N_PREVIEW = len(PREVIEW_DAYS)
# Registration to first purchase, days: levels and quantiles.
LAG_LEVELS = (0.0, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 1.0)
LAG_DAYS = (0.002, 0.01, 0.04, 0.12, 1.0, 6.0, 27.0, 48.0, 150.0)
ACTIVE_SHARE = 0.36
SPREE_SHARE = 0.004
NEWCOMER_PULL = 2.0
BURST_SHAPE = 4.0
MIN_STEERED_USERS = 5000
# Chance to buy a coupon of a kind bought 1, 2, 3, 4 or more times before.
HABIT = (0.001, 0.002, 0.0, 0.1)
# Chance that an early look ends in a purchase.
PREVIEW_BUYERS = 0.08
SEEN_PURCHASES = 0.80
RECEIPT_HOME = 0.98
RECEIPT_OWN = 0.46
SPLIT_SHARE = 0.05
# Weight of a user's best day of the week over the worst is the square of this.
DAY_CONTRAST = 120.0
LOOK, BEFORE, FLAGGED, AFTER, SILENT = range(5)


@dataclass
class Purchases:
    """Purchases of one week, in order of time."""

    second: np.ndarray
    user: np.ndarray
    coupon: np.ndarray
    items: np.ndarray
    small_area: np.ndarray
    number: np.ndarray

    def __len__(self) -> int:
        return len(self.second)


@dataclass
class Visits:
    """Page views of one week, in order of time; ``purchase`` is -1 for plain views."""

    second: np.ndarray
    user: np.ndarray
    coupon: np.ndarray
    purchase: np.ndarray
    page_serial: np.ndarray
    referrer: np.ndarray
    session: np.ndarray

    def __len__(self) -> int:
        return len(self.second)


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
        self.clock = clock
        self._release_day = coupons.sale_start // DAY_SECONDS
        self.n_referrers = max(
            50, round(published.REFERRERS * len(users) / published.USERS)
        )
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
        areas = names.small_area_prefecture
        self._area_km = names.distance_km()[areas][:, areas]
        np.fill_diagonal(self._area_km, -1.0)
        self._history_key = np.empty(0, dtype=np.int64)
        self._history_count = np.empty(0, dtype=np.int64)
        self._awaited = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
        self._debt = np.zeros(len(coupons), dtype=np.int64)
        # Some offers are bought mostly where the log does not look.
        tracked = stream(seed, "tracking").beta(1.2, 0.17, len(coupons))
        self._flag_chance = tracked
        self._bought_keys = np.empty(0, dtype=np.int64)
        self._uniform_key: tuple[str, int] = ("", -1)
        self._uniform_values = np.empty((0, 7), dtype=np.float32)
        self._n_purchases = 0
        self._n_sessions = 0

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
        self._buy_plan = _spread(rng, total, demand.day_share, self._release_day)
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
        self._look_plan = _spread(
            rng, total, self._look_share, self._release_day - N_PREVIEW
        )
        ghosts = self.ghosts
        longest = int(ghosts.display_days.max())
        share = (np.arange(longest) < ghosts.display_days[:, None]) * 0.8 ** np.arange(
            longest
        )
        self._ghost_share = share / share.sum(axis=1, keepdims=True)
        total = np.maximum(rng.poisson(ghosts.looks), 1)
        self._ghost_plan = _spread(rng, total, self._ghost_share, ghosts.first_day)

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
        self._weekday_factor = np.clip(self._weekday_factor * ratio**0.5, 0.4, 2.5)

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
        fading = -np.log1p(-rng.random(n) * (1 - np.exp(-52 / 14.0))) * 14 * 7
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
        return self._log(
            rng,
            week,
            user,
            item,
            day,
            is_first,
            look_user[keep],
            look_item[keep],
            look_day[keep],
        )

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
        """Some of those who looked before the sale buy in the week of the release."""
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
        norm = weights.mean(axis=1)
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
        level = self._uniform("days", week)[user]
        return DAY_CONTRAST ** (2 * level - 1)

    def _uniform(self, name: str, week: int) -> np.ndarray:
        """One uniform number per user and day of a week, shape (users, 7)."""
        if self._uniform_key != (name, week):
            self._uniform_key = (name, week)
            self._uniform_values = stream(self.seed, name, week).random(
                (len(self.users), 7), dtype=np.float32
            )
        return self._uniform_values

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
        """Looks that are no part of a purchase; early looks stay in any case."""
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

    # -- from pairs to rows -------------------------------------------------------

    def _log(
        self, rng, week, user, item, day, is_first, look_user, look_item, look_day
    ) -> tuple[Purchases, Visits]:
        bought = self._bought_rows(rng, week, user, item, day, is_first)
        looks = _repeat_looks(rng, look_user, look_item, look_day)
        events = {name: np.concatenate([bought[name], looks[name]]) for name in bought}
        self._sessions(rng, week, events, user, item, is_first)
        return self._tables(rng, week, events, user, item)

    def _bought_rows(self, rng, week, user, item, day, is_first) -> dict:
        """Rows around each purchase: looks before, the flagged row, looks after."""
        n = len(user)
        seen = is_first | (rng.random(n) < SEEN_PURCHASES)
        seen &= ~self.users.never_views[user]
        flagged = seen & (rng.random(n) < self._flag_chance[item])
        before = np.where(seen, _counts_before(rng, n), 0)
        after = np.where(seen, rng.geometric(0.38, n) - 1 + (rng.random(n) < 0.6), 0)
        before = np.where(seen & ~flagged & (before + after == 0), 1, before)
        rows = np.where(flagged, 1 + (rng.random(n) < 0.06), 0)
        pair = np.arange(n)
        parts = [
            (np.repeat(pair, before), BEFORE),
            (np.repeat(pair, rows), FLAGGED),
            (np.repeat(pair, after), AFTER),
            (pair[~flagged], SILENT),
        ]
        index = np.concatenate([p for p, _ in parts])
        kind = np.concatenate([np.full(len(p), k) for p, k in parts])
        slot = rng.random(n) < SPLIT_SHARE
        place = rng.random(n)
        rank = place[index] + 1e-3 * (kind == FLAGGED) + 1e-3 * (kind == SILENT)
        rank = rank + 2e-3 * (kind == AFTER)
        rank = rank + 5e-4 * rng.random(len(index))
        return {
            "user": user[index],
            "item": item[index],
            "day": day[index],
            "pair": index,
            "kind": kind,
            "slot": slot[index].astype(np.int64),
            "rank": rank,
        }

    def _sessions(self, rng, week, events, user, item, is_first) -> None:
        """Put rows into sessions and give every row its second."""
        coupons = self.coupons
        day_start = (week * 7 + events["day"]) * DAY_SECONDS
        is_ghost = events["item"] >= len(coupons)
        listed = np.where(is_ghost, 0, events["item"])
        low = np.clip(coupons.sale_start[listed] - day_start, 0, DAY_SECONDS)
        high = np.clip(coupons.sale_end[listed] - day_start, 0, DAY_SECONDS)
        free = is_ghost | (high <= low)
        bought = events["pair"] >= 0
        first_purchase = np.zeros(len(low), dtype=bool)
        first_purchase[bought] = is_first[events["pair"][bought]]
        registered = self.users.registered[events["user"]] - day_start
        low = np.where(first_purchase & (registered > low), registered, low)
        low = np.where(free, 0, low)
        high = np.where(free, DAY_SECONDS, np.maximum(high, low + 60))
        morning = self.clock.share_before(np.minimum(high, NOON))
        morning = np.maximum(morning - self.clock.share_before(low), 0)
        span = self.clock.share_before(high) - self.clock.share_before(low)
        n_pairs = len(user)
        # One part of the day per user and day, so that rows meet in few sessions.
        mood = self._uniform("hours", week)[events["user"], events["day"]]
        pair_free = rng.random(max(n_pairs, 1)) < SPLIT_SHARE
        own = rng.random(len(low)) < SPLIT_SHARE
        own[bought] = pair_free[events["pair"][bought]]
        pair_coin = rng.random(max(n_pairs, 1))
        coin = rng.random(len(low))
        coin[bought] = pair_coin[events["pair"][bought]]
        coin = np.where(own, coin, mood)
        half = (coin * np.maximum(span, 1e-9) >= morning).astype(np.int64)
        key = ((events["user"] * 7 + events["day"]) * 2 + half) * 2 + events["slot"]
        order = np.lexsort((events["rank"], key))
        for name in events:
            events[name] = events[name][order]
        key, low, high, half = key[order], low[order], high[order], half[order]
        day_start = day_start[order]
        starts = np.flatnonzero(np.diff(key, prepend=-1))
        session = np.cumsum(np.diff(key, prepend=-1) != 0) - 1
        half_low = half[starts] * float(NOON)
        # A session begins once its first coupon is on sale.
        begin_low = np.maximum(
            half_low, np.minimum(low[starts], half_low + NOON - 1800)
        )
        begin = self.clock.draw(rng, begin_low, half_low + NOON - 900)
        gap = rng.exponential(50.0, len(key)) + 4
        walked = np.cumsum(gap)
        walked -= walked[starts][session]
        second = begin[session] + walked
        second = np.minimum(second, DAY_SECONDS - 1)
        is_purchase = np.isin(events["kind"], (FLAGGED, SILENT))
        outside = is_purchase & ((second <= low) | (second >= high))
        pair_level = rng.random(max(n_pairs, 1))
        redrawn = low + 1 + pair_level[events["pair"]] * np.maximum(high - low - 2, 0)
        second = np.where(outside, redrawn, second)
        events["second"] = (day_start + second).astype(np.int64)
        events["session"] = session
        events["serial"] = _page_serials(rng, starts, session)

    def _tables(self, rng, week, events, user, item) -> tuple[Purchases, Visits]:
        n = len(user)
        is_purchase = np.isin(events["kind"], (FLAGGED, SILENT))
        second = np.zeros(n, dtype=np.int64)
        rows = np.flatnonzero(is_purchase)[::-1]
        second[events["pair"][rows]] = events["second"][rows]
        genre = self.coupons.genre[item]
        again = np.array([REPEAT_SHARE.get(g, 0.015) for g in self.names.genres])[genre]
        again = np.where(self.coupons.campaign[item] > 0, 0, again)
        extra = np.where(rng.random(n) < again * 0.76, rng.geometric(0.68, n), 0)
        many = (extra > 0) & (rng.random(n) < 0.015)
        extra = np.where(many, extra + rng.geometric(0.18, n), extra)
        source = np.concatenate([np.arange(n), np.repeat(np.arange(n), extra)])
        is_extra = np.arange(len(source)) >= n
        moment = second[source] + np.where(
            is_extra, 20 + rng.exponential(240, len(source)), 0
        ).astype(np.int64)
        moment = np.where(
            is_extra, np.minimum(moment, self.coupons.sale_end[item[source]]), moment
        )
        moment = np.minimum(moment, (week + 1) * WEEK_SECONDS - 1)
        order = np.lexsort((source, moment))
        number_of = np.full(n, -1, dtype=np.int64)
        position = np.empty(len(source), dtype=np.int64)
        position[order] = np.arange(len(source))
        number_of = self._n_purchases + position[:n]
        items = _item_counts(rng, self.names, genre[source])
        area = self._purchase_areas(rng, user[source], item[source])
        purchases = Purchases(
            second=moment[order],
            user=user[source][order],
            coupon=item[source][order],
            items=items[order],
            small_area=area[order],
            number=self._n_purchases + np.arange(len(source)),
        )
        self._n_purchases += len(source)

        shown = np.flatnonzero(events["kind"] != SILENT)
        shown = shown[np.argsort(events["second"][shown], kind="stable")]
        pair = events["pair"][shown]
        is_flagged = events["kind"][shown] == FLAGGED
        purchase = np.where(is_flagged, number_of[pair] if n else -1, -1)
        session = events["session"][shown] + self._n_sessions
        if len(events["session"]):
            self._n_sessions += int(events["session"].max()) + 1
        visits = Visits(
            second=events["second"][shown],
            user=events["user"][shown],
            coupon=events["item"][shown],
            purchase=purchase,
            page_serial=events["serial"][shown],
            referrer=_referrers(rng, len(shown), self.n_referrers),
            session=session,
        )
        return purchases, visits

    def _purchase_areas(self, rng, user, item) -> np.ndarray:
        """Area on the receipt: home if listed, the shop's own, or the nearest listed."""
        home = self.users.home_area[user]
        own = self.coupons.small_area[item]
        lists = self.coupons.area_lists[item]
        at_home = lists[np.arange(len(item)), home] & (
            rng.random(len(user)) < RECEIPT_HOME
        )
        other = np.where(lists, self._area_km[home], np.inf).argmin(axis=1)
        area = np.where(rng.random(len(user)) < RECEIPT_OWN, own, other)
        area = np.where(at_home, home, area)
        odd = rng.random(len(user)) < 0.0012
        return np.where(odd, rng.integers(0, lists.shape[1], len(user)), area)


def _stack(first, due):
    """Join certain first purchases with the other purchases that are due."""
    is_first = np.zeros(len(first[0]) + len(due[0]), dtype=bool)
    is_first[: len(first[0])] = True
    user, item, day = (np.concatenate(parts) for parts in zip(first, due, strict=True))
    return user, item, day, is_first


def draw_pairs(
    rng: np.random.Generator, weights: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Draw ``counts[r]`` different columns of each row, proportional to weights."""
    n_columns = weights.shape[1]
    flat = np.cumsum(weights.ravel(), dtype=np.float64)
    end = flat[n_columns - 1 :: n_columns]
    start = np.concatenate([[0.0], end[:-1]])
    left = np.minimum(counts, n_columns).astype(np.int64)
    found = np.empty(0, dtype=np.int64)
    for _ in range(25):
        if left.sum() == 0:
            break
        row = np.repeat(np.arange(len(left)), left)
        level = start[row] + rng.random(len(row)) * (end - start)[row]
        cell = np.searchsorted(flat, level, side="right")
        cell = np.clip(cell, row * n_columns, row * n_columns + n_columns - 1)
        found = np.unique(np.concatenate([found, cell]))
        left = np.maximum(
            np.minimum(counts, n_columns)
            - np.bincount(found // n_columns, minlength=len(left)),
            0,
        )
    return found // n_columns, found % n_columns


def _spread(rng, total, share, first_day) -> dict:
    """Split each coupon's total over weeks: week -> (coupons, counts)."""
    left = total.copy()
    share_left = np.ones(len(total))
    week0 = first_day // 7
    plan: dict[int, list] = {}
    n_days = share.shape[1]
    offset_day = first_day - week0 * 7
    for ahead in range((n_days + 6) // 7 + 1):
        begin = ahead * 7 - offset_day
        cumulative = np.concatenate(
            [np.zeros((len(total), 1)), np.cumsum(share, axis=1)], axis=1
        )
        rows = np.arange(len(total))
        part = (
            cumulative[rows, np.clip(begin + 7, 0, n_days)]
            - cumulative[rows, np.clip(begin, 0, n_days)]
        )
        chance = np.clip(part / np.maximum(share_left, 1e-12), 0, 1)
        count = rng.binomial(left, chance)
        left = left - count
        share_left = share_left - part
        for week in np.unique((week0 + ahead)[count > 0]):
            members = np.flatnonzero((week0 + ahead == week) & (count > 0))
            plan.setdefault(int(week), []).append((members, count[members]))
    joined = {}
    for week, parts in plan.items():
        coupons = np.concatenate([p[0] for p in parts])
        counts = np.concatenate([p[1] for p in parts])
        joined[week] = (coupons, counts)
    return joined


def _counts_before(rng: np.random.Generator, n: int) -> np.ndarray:
    """Looks before a purchase, for purchases with looks."""
    shares = np.array([0.40, 0.23, 0.144, 0.107, 0.05, 0.03, 0.02, 0.012, 0.007])
    return rng.choice(len(shares), size=n, p=shares / shares.sum())


def _repeat_looks(rng, user, item, day) -> dict:
    """Rows of pairs that did not end in a purchase."""
    n = len(user)
    shares = np.array([0.817, 0.128, 0.032, 0.0118, 0.005, 0.0024, 0.0013, 0.0013])
    times = 1 + rng.choice(len(shares), size=n, p=shares / shares.sum())
    index = np.repeat(np.arange(n), times)
    slot = (rng.random(len(index)) < SPLIT_SHARE).astype(np.int64)
    return {
        "user": user[index],
        "item": item[index],
        "day": day[index],
        "pair": np.full(len(index), -1, dtype=np.int64),
        "kind": np.full(len(index), LOOK),
        "slot": slot,
        "rank": rng.random(len(index)),
    }


def _page_serials(rng, starts, session) -> np.ndarray:
    """Page number within the session: starts at 1 or later, then grows by steps."""
    n = len(session)
    first = np.where(
        rng.random(len(starts)) < 0.55, 1, 1 + rng.geometric(0.28, len(starts))
    )
    step = 1 + np.floor(rng.exponential(1.0, n) ** 2.2 * 0.66).astype(np.int64)
    walked = np.cumsum(step)
    return first[session] + walked - walked[starts][session]


def _item_counts(rng, names: Names, genre: np.ndarray) -> np.ndarray:
    mean = published.genre_array(published.GENRE_ITEMS, names.genres)[genre]
    # Half of those who buy several buy two.
    several = np.clip((mean - 1) / 1.75, 0, 0.75)
    more = 1 + rng.geometric(0.57, len(genre))
    return np.where(rng.random(len(genre)) < several, np.minimum(more, 30), 1)


def _referrers(rng, n: int, n_referrers: int) -> np.ndarray:
    top = np.array(published.TOP_REFERRERS) / 100
    level = rng.random(n)
    bounds = np.cumsum(top)
    chosen = np.searchsorted(bounds, level, side="right")
    tail = np.floor((n_referrers - len(top)) * rng.random(n) ** 2.2).astype(np.int64)
    return np.where(chosen < len(top), chosen, len(top) + tail)
