"""From pairs to rows: page views around a purchase, sessions, seconds, receipts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from ml.sample_data import published
from ml.sample_data.calendar import DAY_SECONDS, WEEK_SECONDS
from ml.sample_data.context import Context
from ml.sample_data.coupons import NOON
from ml.sample_data.demand import repeat_shares
from ml.sample_data.event_numbers import (
    counts_before,
    counts_of_looks,
    item_counts,
    page_serials,
    referrers,
)
from ml.sample_data.receipts import Receipts
from ml.sample_data.sampling import turns
from ml.sample_data.streams import even_by_group, stream

SEEN_PURCHASES = 0.80
# Chance that the log flags a purchase, by coupon: parameters of a beta distribution.
TRACKING = (0.72, 0.11)
# Of gift cards and of promotions, which have many buyers, it flags at least so many.
LEAST_TRACKED = {"gift": 0.4, "promotion": 0.75}
# Nobody buys more often in a week.
MOST_IN_WEEK = 31
SPLIT_SHARE = 0.03
LOOK, BEFORE, FLAGGED, AFTER, SILENT = range(5)


@dataclass
class Purchases:
    """Purchases of one week, in order of time.

    ``second`` counts from week 0, ``number`` from the first purchase of the log.
    """

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
    """Page views of one week, in order of time.

    ``second`` counts from week 0; ``purchase`` is the number of the purchase that a
    row flags, -1 for plain views.
    """

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

    @classmethod
    def of(
        cls,
        user: np.ndarray,
        item: np.ndarray,
        day: np.ndarray,
        *,
        is_first: bool = False,
    ) -> Pairs:
        """Make pairs that are all first purchases, or none of them."""
        return cls(user, item, day, np.full(len(user), is_first))

    def at(self, rows: np.ndarray) -> Pairs:
        """Return some of the pairs, by number or by mask."""
        return Pairs(
            self.user[rows], self.item[rows], self.day[rows], self.is_first[rows]
        )

    def with_more(self, user: np.ndarray, item: np.ndarray, day: np.ndarray) -> Pairs:
        """Return these pairs, then others that are no first purchases."""
        return Pairs(
            np.concatenate([self.user, user]),
            np.concatenate([self.item, item]),
            np.concatenate([self.day, day]),
            np.concatenate([self.is_first, np.zeros(len(user), dtype=bool)]),
        )


class EventLog:
    """Turns the pairs of a week into purchases and visits.

    Parameters
    ----------
    context
        The world.

    Attributes
    ----------
    n_referrers
        Number of referrers in the page views.
    """

    def __init__(self, context: Context) -> None:
        names, coupons = context.names, context.coupons
        self._names = names
        self._users = context.users
        self._coupons = coupons
        self._seed = context.seed
        self._clock = context.clock
        self.n_referrers = max(
            50, round(published.REFERRERS * len(self._users) / published.USERS)
        )
        self._receipts = Receipts(context)
        # Some offers are bought mostly where the log does not look.
        level = even_by_group(stream(self._seed, "tracking"), coupons.genre)
        chance = beta.ppf(level, *TRACKING)
        least = np.zeros(len(coupons))
        least[coupons.genre == names.genres.index("gift")] = LEAST_TRACKED["gift"]
        least[coupons.campaign > 0] = LEAST_TRACKED["promotion"]
        self._flag_chance = np.maximum(chance, least)
        self._n_purchases = 0
        self._n_sessions = 0
        self._n_visits = 0

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
        seen &= ~self._users.never_views[user]
        flagged = seen & (rng.random(n) < self._flag_chance[item])
        before = np.where(seen, counts_before(rng, n), 0)
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
        coupons = self._coupons
        day_start = (week * 7 + events["day"]) * DAY_SECONDS
        is_ghost = events["item"] >= len(coupons)
        listed = np.where(is_ghost, 0, events["item"])
        low = np.clip(coupons.sale_start[listed] - day_start, 0, DAY_SECONDS)
        high = np.clip(coupons.sale_end[listed] - day_start, 0, DAY_SECONDS)
        free = is_ghost | (high <= low)
        bought = events["pair"] >= 0
        first_purchase = np.zeros(len(low), dtype=bool)
        first_purchase[bought] = pairs.is_first[events["pair"][bought]]
        registered = self._users.registered[events["user"]] - day_start
        low = np.where(first_purchase & (registered > low), registered, low)
        low = np.where(free, 0, low)
        high = np.where(free, DAY_SECONDS, np.maximum(high, low + 60))
        morning = self._clock.share_before(np.minimum(high, NOON))
        morning = np.maximum(morning - self._clock.share_before(low), 0)
        span = self._clock.share_before(high) - self._clock.share_before(low)
        n_pairs = len(pairs.user)
        # One part of the day per user and day, so that rows meet in few sessions.
        mood = stream(self._seed, "hours", week).random(
            (len(self._users), 7), dtype=np.float32
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
        begin = self._clock.draw(rng, begin_low, half_low + NOON - 900)
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
        events["serial"] = page_serials(rng, starts, session, self._n_visits)
        self._n_visits += len(session)

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
        genre = self._coupons.genre[item]
        again = repeat_shares(self._names)[genre]
        again = np.where(self._coupons.campaign[item] > 0, 0, again)
        extra = np.where(rng.random(n) < again * 0.76, rng.geometric(0.68, n), 0)
        many = (extra > 0) & (rng.random(n) < 0.015)
        extra = np.where(many, extra + rng.geometric(0.18, n), extra)
        source = np.concatenate([np.arange(n), np.repeat(np.arange(n), extra)])
        is_extra = np.arange(len(source)) >= n
        made = ~is_extra | (turns(user[source]) < MOST_IN_WEEK)
        source, is_extra = source[made], is_extra[made]
        moment = second[source] + np.where(
            is_extra, 20 + rng.exponential(240, len(source)), 0
        ).astype(np.int64)
        moment = np.where(
            is_extra, np.minimum(moment, self._coupons.sale_end[item[source]]), moment
        )
        moment = np.minimum(moment, (week + 1) * WEEK_SECONDS - 1)
        order = np.lexsort((source, moment))
        number_of = np.full(n, -1, dtype=np.int64)
        position = np.empty(len(source), dtype=np.int64)
        position[order] = np.arange(len(source))
        number_of = self._n_purchases + position[:n]
        items = item_counts(rng, self._names, genre[source])
        area = self._receipts.draw(rng, user[source], item[source])
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
            referrer=referrers(rng, len(shown), self.n_referrers),
            session=session,
        )
        return purchases, visits


def _repeat_looks(rng: np.random.Generator, looked: Pairs) -> dict[str, np.ndarray]:
    """Rows of pairs that did not end in a purchase."""
    user, item, day = looked.user, looked.item, looked.day
    n = len(user)
    times = counts_of_looks(rng, n)
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
