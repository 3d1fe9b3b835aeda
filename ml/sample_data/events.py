"""From pairs to rows: page views around a purchase, sessions, seconds, receipts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.sample_data import calendar, published
from ml.sample_data.calendar import DAY_SECONDS
from ml.sample_data.catalogue import NOON, Coupons
from ml.sample_data.choice import REPEAT_SHARE
from ml.sample_data.names import Names
from ml.sample_data.streams import stream
from ml.sample_data.users import Users

WEEK_SECONDS = 7 * DAY_SECONDS
SEEN_PURCHASES = 0.80
RECEIPT_HOME = 0.98
RECEIPT_OWN = 0.46
SPLIT_SHARE = 0.05
ENDLESS_SESSIONS = 2e-6
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
class Pairs:
    """What happened in a week, before it has rows: users, coupons and days 0..6.

    ``is_first`` marks certain first purchases. Coupon numbers beyond the list are
    those of coupons in no list.
    """

    user: np.ndarray
    item: np.ndarray
    day: np.ndarray
    is_first: np.ndarray


class EventLog:
    """Turns the pairs of a week into purchases and visits.

    Parameters
    ----------
    names, users, coupons
        The world.
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
        seed: int,
        clock: calendar.HourClock,
    ) -> None:
        self.names = names
        self.users = users
        self.coupons = coupons
        self.seed = seed
        self.clock = clock
        self.n_referrers = max(
            50, round(published.REFERRERS * len(users) / published.USERS)
        )
        areas = names.small_area_prefecture
        self._area_km = names.distance_km()[areas][:, areas]
        np.fill_diagonal(self._area_km, -1.0)
        # Some offers are bought mostly where the log does not look.
        self._flag_chance = stream(seed, "tracking").beta(1.2, 0.17, len(coupons))
        self._n_purchases = 0
        self._n_sessions = 0

    def rows(
        self, rng: np.random.Generator, week: int, bought: Pairs, looked: Pairs
    ) -> tuple[Purchases, Visits]:
        """Return the rows of a week; weeks must be asked for in order."""
        around = self._bought_rows(rng, bought)
        looks = _repeat_looks(rng, looked)
        events = {name: np.concatenate([around[name], looks[name]]) for name in around}
        self._sessions(rng, week, events, bought)
        return self._tables(rng, week, events, bought)

    def _bought_rows(
        self, rng: np.random.Generator, bought: Pairs
    ) -> dict[str, np.ndarray]:
        """Rows around each purchase: looks before, the flagged row, looks after."""
        user, item, day = bought.user, bought.item, bought.day
        n = len(user)
        seen = bought.is_first | (rng.random(n) < SEEN_PURCHASES)
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

    def _sessions(
        self,
        rng: np.random.Generator,
        week: int,
        events: dict[str, np.ndarray],
        pairs: Pairs,
    ) -> None:
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
        first_purchase[bought] = pairs.is_first[events["pair"][bought]]
        registered = self.users.registered[events["user"]] - day_start
        low = np.where(first_purchase & (registered > low), registered, low)
        low = np.where(free, 0, low)
        high = np.where(free, DAY_SECONDS, np.maximum(high, low + 60))
        morning = self.clock.share_before(np.minimum(high, NOON))
        morning = np.maximum(morning - self.clock.share_before(low), 0)
        span = self.clock.share_before(high) - self.clock.share_before(low)
        n_pairs = len(pairs.user)
        # One part of the day per user and day, so that rows meet in few sessions.
        mood = stream(self.seed, "hours", week).random(
            (len(self.users), 7), dtype=np.float32
        )[events["user"], events["day"]]
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

    def _tables(
        self,
        rng: np.random.Generator,
        week: int,
        events: dict[str, np.ndarray],
        pairs: Pairs,
    ) -> tuple[Purchases, Visits]:
        user, item = pairs.user, pairs.item
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

    def _purchase_areas(
        self, rng: np.random.Generator, user: np.ndarray, item: np.ndarray
    ) -> np.ndarray:
        """Draw the area on the receipt: home if listed, shop's own, nearest listed."""
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


def _counts_before(rng: np.random.Generator, n: int) -> np.ndarray:
    """Draw the number of looks before a purchase, for purchases with looks."""
    shares = np.array([0.40, 0.23, 0.144, 0.107, 0.05, 0.03, 0.02, 0.012, 0.007])
    return rng.choice(len(shares), size=n, p=shares / shares.sum())


def _repeat_looks(rng: np.random.Generator, looked: Pairs) -> dict[str, np.ndarray]:
    """Rows of pairs that did not end in a purchase."""
    user, item, day = looked.user, looked.item, looked.day
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


def _page_serials(
    rng: np.random.Generator, starts: np.ndarray, session: np.ndarray
) -> np.ndarray:
    """Page number within the session: starts at 1 or later, then grows by steps."""
    n = len(session)
    first = np.where(
        rng.random(len(starts)) < 0.55, 1, 1 + rng.geometric(0.28, len(starts))
    )
    step = 1 + np.floor(rng.exponential(1.0, n) ** 2.2 * 0.66).astype(np.int64)
    # A handful of visits come after very many pages, as the published maximum shows.
    endless = rng.random(n) < ENDLESS_SESSIONS
    step = np.where(endless, rng.integers(1290, 1366, n), step)
    walked = np.cumsum(step)
    return first[session] + walked - walked[starts][session]


def _item_counts(
    rng: np.random.Generator, names: Names, genre: np.ndarray
) -> np.ndarray:
    mean = published.genre_array(published.GENRE_ITEMS, names.genres)[genre]
    # Half of those who buy several buy two.
    several = np.clip((mean - 1) / 1.75, 0, 0.75)
    more = 1 + rng.geometric(0.57, len(genre))
    return np.where(rng.random(len(genre)) < several, np.minimum(more, 30), 1)


def _referrers(rng: np.random.Generator, n: int, n_referrers: int) -> np.ndarray:
    top = np.array(published.TOP_REFERRERS) / 100
    level = rng.random(n)
    bounds = np.cumsum(top)
    chosen = np.searchsorted(bounds, level, side="right")
    tail = np.floor((n_referrers - len(top)) * rng.random(n) ** 2.2).astype(np.int64)
    return np.where(chosen < len(top), chosen, len(top) + tail)
