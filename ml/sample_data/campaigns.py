"""Promotions: free coupons, cheap gift cards, coupons for new members."""

from __future__ import annotations

import numpy as np

from ml.sample_data import calendar, published
from ml.sample_data.calendar import DAY_SECONDS
from ml.sample_data.coupons import NOON, Coupons
from ml.sample_data.names import Names


def campaigns(
    rng: np.random.Generator, names: Names, coupons: Coupons, n_users: int
) -> None:
    """Turn some coupons into promotions with wanted numbers of buyers.

    ``campaign`` holds the wanted number of buyers (0 for an ordinary coupon).
    """
    size = n_users / published.USERS
    other, gift = names.genres.index("other"), names.genres.index("gift")
    tokyo_area = names.small_areas.index("ginza")
    free = coupons.is_free
    taken = np.zeros(len(coupons), dtype=bool)

    def pick(genre: int, date: str) -> int:
        day = calendar.day_number(date)
        distance = np.abs(coupons.sale_start // DAY_SECONDS - day)
        usable = (coupons.genre == genre) & ~taken & ~coupons.is_test
        if not usable.any():
            return -1
        chosen = int(np.argmin(np.where(usable, distance, 10**9)))
        taken[chosen] = True
        return chosen

    def launch(
        genre: int,
        date: str,
        days: int,
        buyers: float,
        catalog: int,
        price: int,
        hour: int = 12,
        newcomer: float = 0.0,
    ) -> None:
        chosen = pick(genre, date)
        if chosen < 0:
            return
        start = calendar.day_number(date) * DAY_SECONDS + hour * 3600
        end_day = calendar.day_number(date) + days
        coupons.sale_start[chosen] = start
        coupons.sale_end[chosen] = end_day * DAY_SECONDS + NOON
        coupons.display_days[chosen] = days
        coupons.catalog_price[chosen] = catalog
        coupons.discount_price[chosen] = price
        coupons.campaign[chosen] = max(buyers * size, 1.0)
        coupons.newcomer_pull[chosen] = newcomer
        coupons.small_area[chosen] = tokyo_area
        coupons.prefecture[chosen] = names.small_area_prefecture[tokyo_area]
        coupons.area_lists[chosen, tokyo_area] = True
        free[chosen] = price == 0
        _move_validity(coupons, chosen, end_day)
        if days > 30:
            # Usable at once: the one large case of purchases after VALIDFROM.
            coupons.valid_from[chosen] = calendar.day_number(date)
            coupons.valid_until[chosen] = calendar.day_number(date) + 60

    launch(other, "2011-10-27", 36, 5760, 500, 100, newcomer=1.5)
    launch(other, "2012-06-04", 4, 1511, 1, 0, 15)
    launch(other, "2012-06-04", 4, 1016, 1, 0, 15)
    launch(other, "2012-05-21", 10, 663, 1, 0, 15)
    launch(other, "2012-05-21", 10, 628, 1, 0, 15)
    for date, buyers in (
        ("2012-01-17", 210),
        ("2012-02-14", 180),
        ("2012-03-13", 160),
        ("2012-04-10", 130),
        ("2011-12-05", 92),
    ):
        launch(other, date, 5, buyers, 1 if buyers > 100 else 300, 0, 15)
    for date, buyers in (
        ("2011-08-18", 863),
        ("2011-10-13", 520),
        ("2011-11-17", 504),
        ("2012-02-09", 494),
        ("2012-04-19", 466),
    ):
        launch(gift, date, 7, buyers, 500, 100, 15, newcomer=0.6)
    thursdays = np.arange(calendar.day_number("2011-12-15"), calendar.TEST_DAY, 7)
    spring = (calendar.day_number("2012-03-22"), calendar.day_number("2012-06-07"))
    for day in thursdays:
        date = str(calendar.dates(np.array([day]))[0])
        catalog = 1500 if spring[0] <= day < spring[1] else 2000
        launch(other, date, 5, 40, catalog, 100, newcomer=6.0)
    campaigns_of_test_list(coupons, other, gift, size)


def _move_validity(coupons: Coupons, chosen: int, end_day: int) -> None:
    """Let the validity begin the day after the sale, for as long as before."""
    if coupons.valid_from[chosen] >= 0:
        period = coupons.valid_until[chosen] - coupons.valid_from[chosen]
        coupons.valid_from[chosen] = end_day + 1
        coupons.valid_until[chosen] = end_day + 1 + period


def campaigns_of_test_list(
    coupons: Coupons, other: int, gift: int, size: float
) -> None:
    """Give the test list one new-member coupon and one cheap gift card."""
    for genre, catalog, hour, days, buyers, pull in (
        (other, 2000, 12, 5, 40, 6.0),
        (gift, 500, 15, 13, 120, 0.6),
    ):
        members = np.flatnonzero(coupons.is_test & (coupons.genre == genre))
        if len(members) == 0:
            continue
        chosen = members[0]
        day = calendar.day_number("2012-06-28")
        coupons.sale_start[chosen] = day * DAY_SECONDS + hour * 3600
        coupons.sale_end[chosen] = (day + days) * DAY_SECONDS + NOON
        _move_validity(coupons, chosen, day + days)
        coupons.display_days[chosen] = days
        coupons.catalog_price[chosen] = catalog
        coupons.discount_price[chosen] = 100
        coupons.campaign[chosen] = max(buyers * size, 1.0)
        coupons.newcomer_pull[chosen] = pull
