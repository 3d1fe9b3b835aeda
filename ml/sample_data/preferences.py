"""The choice model: who wants which coupon, and how strongly.

The expected number of purchases of coupon ``c`` by user ``u`` in week ``w`` is

    demand(c, w) * weight(u, w) * exp(taste(u, c)) * reach(u, c) / sum over users

where ``taste`` joins genre, price, discount depth and unseen styles, and ``reach``
falls with distance as the genre does. ``docs/sample-data.md`` has the details.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.sample_data import published
from ml.sample_data.context import Context
from ml.sample_data.coupons import Coupons, price_scores
from ml.sample_data.names import Names
from ml.sample_data.reach import own_prefecture_shares, reach_table

# Products of factors on this grid are exact in single precision, so that a matrix
# product does not depend on the order of its sums (threads, blocks, libraries).
GRID = 64.0
HIDDEN_STRENGTH = 0.4
PRICE_STRENGTH = 0.45
LISTED_LIFT = 1.35
SECOND_PLACE_LIFT = 12.0
BALANCE_CELLS = 50_000_000
BALANCE_ROUNDS = 10
REFERENCE_USERS = 600


class Preferences:
    """Tastes as matrices: weights of users for coupons, in blocks.

    Parameters
    ----------
    context
        The world.
    pairs
        Expected buyers of each coupon.
    wanted
        Expected purchases per user over the year, beyond the first.

    Attributes
    ----------
    level
        Factor per user that turns relative weights into the wanted yearly total.
    typical
        Mean weight of each coupon over users.
    """

    def __init__(self, context: Context, pairs: np.ndarray, wanted: np.ndarray) -> None:
        names = context.names
        self._users = context.users
        self._coupons = context.coupons
        self._own_lift = np.ones(len(names.genres))
        self._sex_taste = np.zeros(len(names.genres))
        self._make_reach(names)
        self._coupon_factors = self._factors_of_coupons(names)
        self._make_user_factors()
        self._balance(names, pairs, wanted)
        self._make_reach(names)
        self._make_user_factors()
        self.typical = self._typical_weights()

    def _typical_weights(self) -> np.ndarray:
        """Return each coupon's mean weight over users spread through the list."""
        n = len(self._users)
        some = np.unique(np.linspace(0, n - 1, REFERENCE_USERS).astype(np.int64))
        everything = np.arange(len(self._coupons))
        return np.concatenate(
            [
                self.block(everything[start : start + 4096], some).mean(
                    axis=1, dtype=np.float64
                )
                for start in range(0, len(everything), 4096)
            ]
        )

    def _factors_of_coupons(self, names: Names) -> np.ndarray:
        coupons = self._coupons
        one_hot = np.zeros((len(coupons), len(names.genres)))
        one_hot[np.arange(len(coupons)), coupons.genre] = 1
        price_z = price_scores(names, coupons)
        rate_mean = np.array([published.PRICES[g][4] for g in names.genres])
        rate_z = (coupons.price_rate - rate_mean[coupons.genre]) / 12
        return _on_grid(
            np.hstack(
                [
                    one_hot,
                    HIDDEN_STRENGTH * coupons.hidden,
                    -PRICE_STRENGTH * np.clip(price_z, -2.5, 2.5)[:, None],
                    np.clip(rate_z, -2.5, 2.5)[:, None],
                ]
            )
        )

    def _make_user_factors(self) -> None:
        users = self._users
        taste = np.clip(users.genre_taste, -3, 3)
        taste = taste + np.where(users.is_female[:, None], self._sex_taste, 0.0)
        self._user_factors = _on_grid(
            np.hstack(
                [
                    taste,
                    users.hidden,
                    users.price_sensitivity[:, None],
                    users.bargain_taste[:, None],
                ]
            )
        )

    def _make_reach(self, names: Names) -> None:
        reach = reach_table(names)
        areas = np.arange(len(names.small_areas))
        own = names.small_area_prefecture[areas]
        reach[:, areas, own] *= self._own_lift[:, None]
        self._reach = reach

    def _balance(self, names: Names, pairs: np.ndarray, wanted: np.ndarray) -> None:
        """Fit user levels, sex terms and own-prefecture lifts to published totals.

        Works on a sample of coupons, drawn with equal spacing along the cumulated
        demand of each genre. All sums are elementwise sums of numpy, which do not
        depend on the number of threads.
        """
        users, coupons = self._users, self._coupons
        n_sample = int(np.clip(BALANCE_CELLS // len(users), 400, 2500))
        sample, mass = _sample_coupons(coupons, pairs, n_sample)
        weights = self.block(sample, np.arange(len(users)))
        genre = coupons.genre[sample]
        own = coupons.prefecture[sample][:, None] == users.home_prefecture[None, :]
        female = published.genre_array(published.GENRE_FEMALE, names.genres)
        at_home = own_prefecture_shares(names, users, coupons, wanted)
        rows_of = [np.flatnonzero(genre == g) for g in range(len(names.genres))]
        # The certain first purchase counts as well.
        wanted = wanted + ~users.is_late
        level = wanted.astype(np.float64)
        for _ in range(BALANCE_ROUNDS):
            reached = (weights * level.astype(np.float32)).sum(axis=1, dtype=np.float64)
            share = (mass / np.maximum(reached, 1e-30)).astype(np.float32)
            pull = (weights * share[:, None]).sum(axis=0, dtype=np.float64)
            level = wanted / np.maximum(pull, 1e-30)
            level *= wanted.sum() / max(level.sum(), 1e-30)
            taken = weights * level.astype(np.float32)
            for number, rows in enumerate(rows_of):
                if len(rows) == 0:
                    continue
                part = (
                    taken[rows]
                    / np.maximum(taken[rows].sum(axis=1, keepdims=True), 1e-30)
                    * mass[rows, None].astype(np.float32)
                )
                self._fit_sex(weights, rows, part, female[number], number)
                self._fit_home(weights, rows, part, own[rows], at_home[number], number)
        self._sex_taste = np.clip(self._sex_taste, -6, 6)
        self.level = level / np.maximum(wanted, 1e-30)
        self.level /= np.average(self.level, weights=wanted)

    def _fit_sex(
        self,
        weights: np.ndarray,
        rows: np.ndarray,
        part: np.ndarray,
        wanted: float,
        genre: int,
    ) -> None:
        """Move a genre's taste of women so that their share becomes ``wanted``.

        ``part`` holds expected purchases for the genre's ``rows`` of ``weights``.
        """
        is_female = self._users.is_female
        women = float(part[:, is_female].sum(dtype=np.float64))
        men = float(part[:, ~is_female].sum(dtype=np.float64))
        if min(women, men) <= 0:
            return
        step = _odds(wanted) - np.log(women / men)
        step = float(np.clip(step, -1.5, 1.5))
        self._sex_taste[genre] += step
        weights[np.ix_(rows, np.flatnonzero(is_female))] *= np.exp(np.float32(step))

    def _fit_home(
        self,
        weights: np.ndarray,
        rows: np.ndarray,
        part: np.ndarray,
        own: np.ndarray,
        wanted: float,
        genre: int,
    ) -> None:
        """Move a genre's lift of the own prefecture; ``own`` marks it in ``part``."""
        known = self._users.has_prefecture
        home = float(part[own & known[None, :]].sum(dtype=np.float64))
        away = float(part[:, known].sum(dtype=np.float64)) - home
        if min(home, away) <= 0:
            return
        step = _odds(wanted) - np.log(home / away)
        step = float(np.clip(step, -0.7, 0.7))
        reach = float(np.log(self._own_lift[genre]))
        step = float(np.clip(reach + step, -4.0, 4.0)) - reach
        self._own_lift[genre] *= np.exp(step)
        weights[rows] *= np.where(own, np.float32(np.exp(step)), np.float32(1))

    def block(self, coupons: np.ndarray, users: np.ndarray) -> np.ndarray:
        """Relative weights of some users (columns) for some coupons (rows)."""
        logits = self._coupon_factors[coupons] @ self._user_factors[users].T
        weights = np.exp(logits, out=logits)
        by_home = self._reach[
            self._coupons.genre[coupons], :, self._coupons.prefecture[coupons]
        ]
        listed = self._coupons.area_lists[coupons]
        by_home = (by_home * np.where(listed, LISTED_LIFT, 1.0)).astype(np.float32)
        weights *= by_home[:, self._users.home_area[users]]
        second = np.ones((len(coupons), self._reach.shape[2]), dtype=np.float32)
        rows = np.arange(len(coupons))
        second[rows, self._coupons.prefecture[coupons]] = SECOND_PLACE_LIFT
        weights *= second[:, self._users.second_prefecture[users]]
        return weights


def _odds(share: float) -> float:
    return float(np.log(share / (1 - share)))


def _sample_coupons(
    coupons: Coupons, pairs: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Coupons that stand for all, and the purchases that each stands for."""
    genre = coupons.genre
    chosen, mass = [], []
    for number in np.unique(genre):
        members = np.flatnonzero((genre == number) & (pairs > 0))
        if len(members) == 0:
            continue
        members = members[np.argsort(coupons.prefecture[members], kind="stable")]
        total = pairs[members].sum()
        wanted = max(25, round(n * total / pairs.sum()))
        if len(members) <= wanted:
            chosen.append(members)
            mass.append(pairs[members])
            continue
        cumulative = np.cumsum(pairs[members])
        points = (np.arange(wanted) + 0.5) / wanted * total
        drawn = np.searchsorted(cumulative, points)
        drawn, times = np.unique(drawn, return_counts=True)
        chosen.append(members[drawn])
        mass.append(times * total / wanted)
    return np.concatenate(chosen), np.concatenate(mass)


def _on_grid(values: np.ndarray) -> np.ndarray:
    return (np.round(values * GRID) / GRID).astype(np.float32)


@dataclass(frozen=True)
class TasteHistory:
    """Preferences that hold first, and those from a week on.

    Attributes
    ----------
    early, late
        The same in a world without drift.
    change_week
        First week of ``late``.
    """

    early: Preferences
    late: Preferences
    change_week: int

    def at(self, week: int) -> Preferences:
        """Preferences that hold in a week."""
        return self.late if week >= self.change_week else self.early
