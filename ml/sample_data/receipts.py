"""Which area a receipt bears: the page that the user came by.

A coupon stands on the pages of all areas that it lists. Users have usual pages: their
home's, or that of their second place, then those of places they like. Now and then
they come by the shop's own page, or by any; heavy buyers do so more often.
"""

from __future__ import annotations

import numpy as np

from ml.sample_data import published
from ml.sample_data.context import Context
from ml.sample_data.sampling import turns
from ml.sample_data.streams import stream

# Share of users whose first page is that of the second place.
PAGES_ELSEWHERE = 0.4
# Spread of personal likings, and weight of the log of an area's coupons.
PAGE_NOISE = 0.9
PAGE_SIZE = 0.75
# Share of purchases by the page of the shop's own area.
OWN_PAGE = 0.14
# Share of purchases by any page: the most, and the rate of buying with half of it.
ROAMING_MOST = 0.93
ROAMING_HALF = 5.5
# Users with this many prefectures on their receipts keep to pages of those, unless
# a coupon stands on none of them.
MANY_PLACES = 23
# Receipts with an area that the coupon does not list.
ODD_RECEIPTS = 0.0012


class Receipts:
    """Draws the areas of purchases; remembers the prefectures of each user.

    Parameters
    ----------
    context
        The world.
    """

    def __init__(self, context: Context) -> None:
        users = context.users
        self._users = users
        self._coupons = context.coupons
        self._prefecture = context.names.small_area_prefecture
        self._liking = _likings(context)
        often = users.buying**2
        self._roaming = ROAMING_MOST * often / (often + ROAMING_HALF**2)
        self._been_to = np.zeros(
            (len(users), len(context.names.prefectures)), dtype=bool
        )

    def draw(
        self, rng: np.random.Generator, user: np.ndarray, item: np.ndarray
    ) -> np.ndarray:
        """Draw the small areas of purchases, those of one user one after the other."""
        n = len(user)
        area = np.empty(n, dtype=np.int64)
        level = rng.random((n, 3))
        any_listed = rng.random((n, len(self._prefecture)), dtype=np.float32)
        any_at_all = rng.integers(0, len(self._prefecture), n)
        # One purchase of every user at a time, for their places depend on the last.
        turn = turns(user)
        order = np.argsort(turn, kind="stable")
        ends = np.cumsum(np.bincount(turn))
        for rows in np.split(order, ends[:-1]) if n else []:
            area[rows] = self._draw_once(
                user[rows], item[rows], level[rows], any_listed[rows], any_at_all[rows]
            )
        return area

    def _draw_once(
        self,
        user: np.ndarray,
        item: np.ndarray,
        level: np.ndarray,
        any_listed: np.ndarray,
        any_at_all: np.ndarray,
    ) -> np.ndarray:
        """Turn chances into the areas of one purchase each of different users."""
        own = self._coupons.small_area[item]
        lists = self._coupons.area_lists[item]
        # Who has met many prefectures stays within them, if the coupon allows it.
        is_open = self._been_to[user].sum(axis=1) < MANY_PLACES
        known = lists & (is_open[:, None] | self._been_to[user][:, self._prefecture])
        lists = np.where(known.any(axis=1)[:, None], known, lists)
        liked = np.where(lists, self._liking[user], -np.inf).argmax(axis=1)
        by_shop = is_open & (level[:, 0] < OWN_PAGE)
        by_shop &= liked != self._users.home_area[user]
        area = np.where(by_shop, own, liked)
        roams = is_open & (level[:, 1] < self._roaming[user])
        area = np.where(roams, np.where(lists, any_listed, -1).argmax(axis=1), area)
        is_odd = is_open & (level[:, 2] < ODD_RECEIPTS)
        area = np.where(is_odd, any_at_all, area)
        self._been_to[user, self._prefecture[area]] = True
        return area


def _likings(context: Context) -> np.ndarray:
    """How gladly each user buys on the pages of each area, shape (users, 55).

    It stays the same all year: home or the second place comes first, then large
    areas, by a personal order.
    """
    names, users = context.names, context.users
    rng = stream(context.seed, "pages")
    n = len(users)
    areas = names.small_area_prefecture
    size = np.array(
        [published.PREFECTURES[slug][2] for slug in names.prefectures], dtype=float
    )[areas]
    split = np.array(
        [published.SMALL_AREA_COUPONS.get(slug, 0.0) for slug in names.small_areas]
    )
    size = np.where(split > 0, split, size)
    liking = rng.gumbel(0, 1, (n, len(areas))).astype(np.float32)
    liking *= np.float32(PAGE_NOISE)
    liking += PAGE_SIZE * np.log(size).astype(np.float32)
    liking += np.where(
        areas[None, :] == users.second_prefecture[:, None], np.float32(20), 0
    )
    elsewhere = rng.random(n) < PAGES_ELSEWHERE
    rows = np.arange(n)
    liking[rows, users.home_area] += np.where(elsewhere, 10, 40).astype(np.float32)
    return liking
