"""Draws who buys and who looks at what in a week, and says what is to be expected."""

from __future__ import annotations

import numpy as np

from ml.sample_data.context import Context
from ml.sample_data.memory import Memory, UsersAndCoupons
from ml.sample_data.preferences import TasteHistory
from ml.sample_data.sampling import CELLS_PER_BLOCK, draw_pairs
from ml.sample_data.steering import Steering
from ml.sample_data.turnout import Turnout

BURST_SHAPE = 4.0
SPREE_SHARE = 0.004
SPREE_FACTOR = 4.0
# Coupons that pull this much are open to new members only.
MEMBERS_ONLY = 5.0


class Choice:
    """Joins tastes, turnout, memory and steering into weights.

    Parameters
    ----------
    context, tastes, turnout
        The world.
    memory
        What users have bought so far.
    steering
        Corrections of the week.
    """

    def __init__(
        self,
        context: Context,
        tastes: TasteHistory,
        turnout: Turnout,
        memory: Memory,
        steering: Steering,
    ) -> None:
        self._users = context.users
        self._coupons = context.coupons
        self._tastes = tastes
        self._turnout = turnout
        self._memory = memory
        self._steering = steering

    def draw(
        self,
        rng: np.random.Generator,
        week: int,
        active: np.ndarray,
        chance: np.ndarray,
        counts: tuple[np.ndarray, np.ndarray],
        settled: UsersAndCoupons,
    ) -> tuple[UsersAndCoupons, UsersAndCoupons]:
        """Draw the pairs that are bought, and those that are looked at.

        Parameters
        ----------
        rng
            Source of chance.
        week
            The week.
        active, chance
            Users who come, and how likely that was.
        counts
            Buyers and lookers of each coupon of the list.
        settled
            Purchases of this week that are certain already.
        """
        buy_n, look_n = counts
        coupon = np.flatnonzero((buy_n > 0) | (look_n > 0))
        coupon = coupon[np.argsort(self._coupons.genre[coupon], kind="stable")]
        if len(active) == 0 or len(coupon) == 0:
            empty = np.empty(0, dtype=np.int64)
            return (empty, empty), (empty, empty)
        buy_weight, look_weight = self._user_weights(rng, week, active, chance)
        taken_row, taken_column = self._taken(coupon, active, settled)
        parts: list[tuple[np.ndarray, ...]] = []
        step = max(1, CELLS_PER_BLOCK // len(active))
        for start in range(0, len(coupon), step):
            rows = coupon[start : start + step]
            weights = self._tastes.at(week).block(rows, active)
            looks = np.sqrt(weights)
            weights *= buy_weight
            self._steering.lean(week, weights, rows, active)
            self._close_to_members(weights, rows, active)
            looks *= look_weight
            inside = (taken_row >= start) & (taken_row < start + len(rows))
            weights[taken_row[inside] - start, taken_column[inside]] = 0
            row, column = draw_pairs(rng, weights, buy_n[rows])
            look_row, look_column = draw_pairs(rng, looks, look_n[rows])
            parts.append(
                (active[column], rows[row], active[look_column], rows[look_row])
            )
        user, item, look_user, look_item = (
            np.concatenate(column) for column in zip(*parts, strict=True)
        )
        return (user, item), (look_user, look_item)

    def _user_weights(
        self,
        rng: np.random.Generator,
        week: int,
        active: np.ndarray,
        chance: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Weights of active users for buying and for looking, in any coupon."""
        burst = rng.gamma(BURST_SHAPE, 1 / BURST_SHAPE, len(active))
        burst *= np.where(rng.random(len(active)) < SPREE_SHARE, SPREE_FACTOR, 1.0)
        buy = self._turnout.buying[active, week] / chance * burst
        buy *= self._memory.appetite()[active]
        buy *= self._steering.user_factors(week)[active]
        look = self._turnout.viewing[active, week] / chance * np.sqrt(burst)
        return buy.astype(np.float32), look.astype(np.float32)

    def _taken(
        self, coupon: np.ndarray, active: np.ndarray, settled: UsersAndCoupons
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of pairs that are bought already."""
        column_of = np.full(len(self._users), -1, dtype=np.int64)
        column_of[active] = np.arange(len(active))
        row_of = np.full(len(self._coupons), -1, dtype=np.int64)
        row_of[coupon] = np.arange(len(coupon))
        before = self._memory.pairs()
        column = column_of[np.concatenate([before[0], settled[0]])]
        row = row_of[np.concatenate([before[1], settled[1]])]
        known = (row >= 0) & (column >= 0)
        return row[known], column[known]

    def _close_to_members(
        self, weights: np.ndarray, coupons: np.ndarray, users: np.ndarray
    ) -> None:
        """Take away coupons for new members from those who bought before."""
        closed = np.flatnonzero(self._coupons.newcomer_pull[coupons] >= MEMBERS_ONLY)
        if len(closed):
            members = np.flatnonzero(self._memory.n_bought[users] > 0)
            weights[np.ix_(closed, members)] = 0

    def habit_chances(self, week: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Users, coupons and chances of habitual purchases in a week.

        Steering holds habits back and never drives them.
        """
        user, item, chance = self._memory.habit_chances(week)
        held = self._memory.appetite() * self._steering.user_factors(week)
        chance = chance * np.minimum(held, 1)[user]
        here = self._turnout.buying[user, week] > 0
        return user[here], item[here], chance[here]

    def expect(self, week: int, coupons: np.ndarray, pairs: np.ndarray) -> np.ndarray:
        """Return expected purchases by choice of all users, shape (users, coupons).

        Parameters
        ----------
        week
            A week without steering.
        coupons
            Coupons to look at.
        pairs
            Expected buyers of each by choice.
        """
        n_users = len(self._users)
        everyone = np.arange(n_users)
        rate = self._turnout.buying[:, week] * self._memory.appetite()
        rate = rate.astype(np.float32)
        result = np.zeros((n_users, len(coupons)), dtype=np.float32)
        step = max(1, CELLS_PER_BLOCK // n_users)
        for start in range(0, len(coupons), step):
            rows = coupons[start : start + step]
            weights = self._tastes.at(week).block(rows, everyone)
            weights *= rate
            self._close_to_members(weights, rows, everyone)
            total = weights.sum(axis=1, dtype=np.float64)
            factor = pairs[start : start + step] / np.maximum(total, 1e-30)
            weights *= factor[:, None].astype(np.float32)
            result[:, start : start + step] = weights.T
        return result
