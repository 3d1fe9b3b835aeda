"""What users have bought and seen so far, and what follows from it."""

from __future__ import annotations

import numpy as np

from ml.sample_data.calendar import WEEK_SECONDS
from ml.sample_data.context import Context

# Coupons bought from which on users buy less, and with which they have enough.
SATED_FROM, SATED_AT = 80, 120
# Chance to buy a coupon of a kind bought 1, 2, 3, 4 or more times before.
HABIT = (0.002, 0.019, 0.1, 0.38)
# Chance that an early look ends in a purchase.
PREVIEW_BUYERS = 0.08

UsersAndCoupons = tuple[np.ndarray, np.ndarray]


class Memory:
    """Purchases and early looks of all users up to a week.

    Parameters
    ----------
    context
        The world.

    Attributes
    ----------
    n_bought
        Distinct coupons bought by each user.
    """

    def __init__(self, context: Context) -> None:
        coupons = context.coupons
        self._coupons = coupons
        self.n_bought = np.zeros(len(context.users), dtype=np.int64)
        kind = (coupons.catalog_price * 47 + coupons.prefecture) * np.int64(
            len(context.names.genres)
        ) + coupons.genre
        _, self._kind = np.unique(kind, return_inverse=True)
        self._kind_size = np.bincount(self._kind)
        self._history_key = np.empty(0, dtype=np.int64)
        self._history_count = np.empty(0, dtype=np.int64)
        self._awaited = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
        self._keys = np.empty(0, dtype=np.int64)

    def key(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        """One number per pair of user and coupon."""
        return user * np.int64(len(self._coupons)) + item

    def has(self, key: np.ndarray) -> np.ndarray:
        """Whether pairs were bought before; knows coupons still on sale only."""
        return np.isin(key, self._keys)

    def pairs(self) -> UsersAndCoupons:
        """Users and coupons of purchases whose coupons are still on sale."""
        n = np.int64(len(self._coupons))
        return self._keys // n, self._keys % n

    def appetite(self) -> np.ndarray:
        """Factor per user, 0..1: who has bought very much buys less and less."""
        left = (SATED_AT - self.n_bought) / (SATED_AT - SATED_FROM)
        return np.clip(left, 0, 1)

    def remember(self, week: int, user: np.ndarray, item: np.ndarray) -> None:
        """Add the purchases of a week."""
        self.n_bought += np.bincount(user, minlength=len(self.n_bought))
        keys = np.concatenate([self._keys, self.key(user, item)])
        ends = self._coupons.sale_end[keys % len(self._coupons)]
        self._keys = keys[ends > (week + 1) * WEEK_SECONDS]
        many = self._kind_size[self._kind[item]] > 1
        n_kinds = np.int64(len(self._kind_size))
        kinds = user[many] * n_kinds + self._kind[item[many]]
        both = np.concatenate([self._history_key, kinds])
        counts = np.concatenate(
            [self._history_count, np.ones(len(kinds), dtype=np.int64)]
        )
        self._history_key, where = np.unique(both, return_inverse=True)
        self._history_count = np.bincount(where, counts, len(self._history_key)).astype(
            np.int64
        )

    def habit_chances(self, week: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Users, coupons and chances of habitual purchases in a week.

        A habit is a coupon of the same prefecture, genre and price as bought before.
        It is looked at once per coupon, in the week of its release.
        """
        released = np.flatnonzero(
            (self._coupons.release_day // 7 == week) & (self._coupons.campaign == 0)
        )
        kind = self._kind[released]
        order = np.argsort(kind, kind="stable")
        released, kind = released[order], kind[order]
        n_kinds = np.int64(len(self._kind_size))
        history_kind = self._history_key % n_kinds
        low = np.searchsorted(kind, history_kind, side="left")
        high = np.searchsorted(kind, history_kind, side="right")
        times = high - low
        row = np.repeat(np.arange(len(times)), times)
        within = np.arange(len(row)) - np.repeat(np.cumsum(times) - times, times)
        count = np.minimum(self._history_count[row], len(HABIT)) - 1
        user = (self._history_key // n_kinds)[row]
        return user, released[low[row] + within], np.array(HABIT)[count]

    def wait(self, week: int, looks: UsersAndCoupons, day: np.ndarray) -> None:
        """Remember who looked at a coupon before its sale; days are -1 or 0..6."""
        user, item = looks
        early = (day >= 0) & (week * 7 + day < self._coupons.release_day[item])
        self._awaited = (
            np.concatenate([self._awaited[0], user[early]]),
            np.concatenate([self._awaited[1], item[early]]),
        )

    def waiting(self, week: int) -> UsersAndCoupons:
        """Users and coupons looked at early whose release falls into a week."""
        user, item = self._awaited
        due = self._coupons.release_day[item] < (week + 1) * 7
        return user[due], item[due]

    def draw_awaited(self, rng: np.random.Generator, week: int) -> UsersAndCoupons:
        """Draw who of those that looked early buys, in the week of the release."""
        user, item = self._awaited
        due = self._coupons.release_day[item] < (week + 1) * 7
        taken = due & (rng.random(len(user)) < PREVIEW_BUYERS)
        self._awaited = (user[~due], item[~due])
        return user[taken], item[taken]
