"""How many buyers each coupon is expected to have, and on which days."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.sample_data import calendar, published
from ml.sample_data.calendar import DAY_SECONDS
from ml.sample_data.context import Context
from ml.sample_data.coupons import Coupons, price_scores
from ml.sample_data.looks import expected_looks, preview_shares
from ml.sample_data.names import Names
from ml.sample_data.reach import reach_table
from ml.sample_data.streams import stream
from ml.sample_data.year import PUBLISHED, Year

SPREAD = {
    "delivery": 1.05,
    "food": 0.95,
    "other": 1.25,
    "hotel": 1.1,
    "gift": 1.2,
    "leisure": 1.1,
    "hair": 0.9,
    "relaxation": 0.9,
    "spa": 0.95,
    "nail": 0.9,
    "lesson": 1.05,
    "health": 1.0,
    "beauty": 0.8,
}
DISPLAY_SLOPE = {"delivery": 1.85, "food": 1.45, "other": 1.0, "leisure": 1.5}
PRICE_SLOPE = {
    "delivery": -0.33,
    "food": -0.37,
    "other": -0.5,
    "leisure": -0.22,
    "spa": -0.2,
    "gift": -0.6,
}
CATCHMENT_SLOPE = {"food": 0.6, "leisure": 0.9, "hair": 0.5}
# Share of purchases with five days on display and more: a quarter has more than four.
LONG_DISPLAY_SHARE = 0.242
# Purchases by large area lie a little off what reach alone gives.
AREA_APPEAL = {"kansai": 1.2}
RATE_SLOPE = 1.0
LONG_DISPLAY = 0.53
REPEAT_SHARE = {
    "food": 0.115,
    "leisure": 0.12,
    "hotel": 0.06,
    "delivery": 0.04,
    "gift": 0.01,
    "other": 0.02,
}
OTHER_REPEAT_SHARE = 0.015
# No ordinary coupon has more buyers in a full-size world.
MOST_PAIRS = 440.0
# Part of a genre's purchases that is spread over its listed coupons for certain.
SURE_PART = 0.6


@dataclass
class Demand:
    """Expected purchases and looks per coupon.

    Attributes
    ----------
    pairs
        Expected distinct buyers over the whole sale.
    sure
        Probability that one buyer is certain (listed coupons were all bought).
    day_share
        Share of a coupon's purchases by day since release, shape (coupons, days).
    looks
        Expected distinct users who look without buying.
    preview
        Share of looks that come before the sale starts.
    pairs_in_log
        Expected distinct purchases of all coupons within the log.
    """

    pairs: np.ndarray
    sure: np.ndarray
    day_share: np.ndarray
    looks: np.ndarray
    preview: np.ndarray
    pairs_in_log: float


def repeat_shares(names: Names) -> np.ndarray:
    """Share of purchases that buy the same coupon again, by genre, 0..1."""
    return np.array([REPEAT_SHARE.get(g, OTHER_REPEAT_SHARE) for g in names.genres])


def make_demand(context: Context, year: Year = PUBLISHED) -> Demand:
    """Set each coupon's expected purchases so that the year's totals hold."""
    coupons, n_users = context.coupons, len(context.users)
    size = n_users / published.USERS
    is_campaign = coupons.campaign > 0
    appeal = _appeal(context)
    guess = np.where(is_campaign, coupons.campaign, appeal / appeal.mean() * 8)
    share = _fit_days(context, guess)
    sure, extra, in_log = _fit_totals(context, appeal, share, year)
    pairs = np.where(is_campaign, coupons.campaign, sure + extra)
    pairs = np.minimum(pairs, np.where(is_campaign, 0.45 * n_users, MOST_PAIRS * size))
    rng = stream(context.seed, "demand")
    looks = expected_looks(rng, context.names, coupons.genre, pairs, in_log, size)
    return Demand(
        pairs=pairs,
        sure=sure,
        day_share=share,
        looks=looks,
        preview=preview_shares(rng, looks, coupons.release_day, coupons.is_test),
        pairs_in_log=float((pairs * in_log).sum()),
    )


def _appeal(context: Context) -> np.ndarray:
    """How much each coupon pulls by quality, display, price and people in reach."""
    names, users, coupons = context.names, context.users, context.coupons
    genre = coupons.genre

    def by_genre(table: dict[str, float], other: float) -> np.ndarray:
        return np.array([table.get(g, other) for g in names.genres])[genre]

    price_z = np.clip(price_scores(names, coupons), -3, 3)
    area_appeal = np.array([AREA_APPEAL.get(area, 1.0) for area in names.large_areas])
    home_share = np.bincount(
        users.home_area, users.buying, minlength=len(names.small_areas)
    )
    catchment = np.einsum(
        "h,ghp->gp", home_share / home_share.sum(), reach_table(names)
    )[genre, coupons.prefecture]
    return np.exp(
        by_genre(SPREAD, 1.0) * coupons.quality
        + by_genre(DISPLAY_SLOPE, 0.75) * np.log(np.clip(coupons.display_days, 1.3, 5))
        + LONG_DISPLAY * (coupons.display_days >= 4)
        + by_genre(PRICE_SLOPE, -0.1) * price_z
        + RATE_SLOPE * (coupons.price_rate / 100 - 0.58)
        + by_genre(CATCHMENT_SLOPE, 0.35) * np.log(catchment)
        + np.log(area_appeal[names.prefecture_large_area[coupons.prefecture]])
    )


def _fit_days(context: Context, guess: np.ndarray) -> np.ndarray:
    """Share of each coupon's purchases by day so that weekdays fit in sum."""
    coupons = context.coupons
    weekday = np.array(published.WEEKDAY_PURCHASES) / 100
    # Users choose among few days, which flattens the week: aim beyond the target.
    weekday = weekday**1.5 / (weekday**1.5).sum()
    season = season_by_day(weekday)
    for _ in range(6):
        share = day_shares(coupons, context.clock, season)
        day = (coupons.release_day[:, None] + np.arange(share.shape[1])) % 7
        now = np.bincount(day.ravel(), (share * guess[:, None]).ravel(), 7)
        season = season * season_by_day(weekday / (now / now.sum()))
    return share


def _fit_totals(
    context: Context, appeal: np.ndarray, share: np.ndarray, year: Year
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fit ordinary coupons to totals by genre, large area, display, month and week.

    Returns
    -------
    sure, extra, in_log
        By coupon: chance of one certain buyer, expected buyers beyond, and the
        share of its purchases that falls into the log.
    """
    names, coupons = context.names, context.coupons
    genre, n_genres = coupons.genre, len(names.genres)
    size = len(context.users) / published.USERS
    coupon_period, period_totals = _by_period(coupons, share, size, year)
    in_log = coupon_period.sum(axis=1)
    own_period = np.argmax(coupon_period + 1e-9, axis=1)
    is_campaign = coupons.campaign > 0
    ordinary = ~is_campaign

    pairs_by_genre = published.genre_array(published.GENRE_PURCHASES, names.genres)
    pairs_by_genre = pairs_by_genre * size * (1 - repeat_shares(names))
    wanted = pairs_by_genre - np.bincount(
        genre[is_campaign], (coupons.campaign * in_log)[is_campaign], n_genres
    )
    wanted = np.maximum(wanted, 0.1 * pairs_by_genre)
    listed = np.bincount(genre[ordinary], in_log[ordinary], n_genres)
    sure = np.clip(SURE_PART * wanted / np.maximum(listed, 1), 0, 1)[genre]
    sure[is_campaign] = 0
    sure_by_genre = np.bincount(genre[ordinary], (sure * in_log)[ordinary], n_genres)
    genre_extra = np.maximum(wanted - sure_by_genre, 0.05 * wanted)
    period_wanted = period_totals - (
        (coupons.campaign[:, None] * coupon_period)[is_campaign]
    ).sum(axis=0)
    sure_by_period = (sure[:, None] * coupon_period)[ordinary].sum(axis=0)
    period_extra = np.maximum(period_wanted - sure_by_period, 0.2 * period_wanted)
    area, area_share = _large_area(names, coupons)
    is_long = (coupons.display_days >= 5).astype(np.int64)
    long_share = np.array([1 - LONG_DISPLAY_SHARE, LONG_DISPLAY_SHARE])
    fixed = np.where(is_campaign, coupons.campaign, sure) * in_log
    margins = [
        (group, _extra_by_group(group, share, fixed, genre_extra.sum()))
        for group, share in ((area, area_share), (is_long, long_share))
    ]

    extra = np.where(ordinary, appeal, 0.0)
    most = MOST_PAIRS * max(size, 0.05)
    for _ in range(60):
        now = np.bincount(genre, extra * in_log, n_genres)
        extra *= (genre_extra / np.maximum(now, 1e-9))[genre]
        for group, wanted_extra in margins:
            now = np.bincount(group, extra * in_log, len(wanted_extra))
            extra *= (wanted_extra / np.maximum(now, 1e-9))[group]
        now = (extra[:, None] * coupon_period).sum(axis=0)
        ratio = np.where(now > 0, period_extra / np.maximum(now, 1e-9), 1.0)
        ratio = np.clip(ratio, 0.2, 5.0) ** 0.7
        step = np.where(coupons.is_test, 1.0, ratio[own_period])
        extra = np.minimum(extra * step, most)
    for number in range(n_genres):
        # No total is known for the test week: its coupons sell like the others.
        train = ordinary & ~coupons.is_test & (genre == number)
        test = ordinary & coupons.is_test & (genre == number)
        if test.any() and train.any():
            extra[test] *= extra[train].mean() / max(extra[test].mean(), 1e-9)
    return sure, extra, in_log


def _by_period(
    coupons: Coupons, share: np.ndarray, size: float, year: Year
) -> tuple[np.ndarray, np.ndarray]:
    """Share of each coupon's purchases by period, and the periods' wanted buyers."""
    period_of_day, totals = _periods(year)
    totals = totals * size * (published.PURCHASED_PAIRS / published.PURCHASES)
    day = coupons.release_day[:, None] + np.arange(share.shape[1])
    cell = period_of_day[np.minimum(day, len(period_of_day) - 1)]
    by_period = np.zeros((len(coupons), len(totals)))
    for column in range(len(totals)):
        by_period[:, column] = (share * (cell == column)).sum(axis=1)
    return by_period, totals


def day_shares(
    coupons: Coupons, clock: calendar.HourClock, season: np.ndarray
) -> np.ndarray:
    """Share of purchases by day since release, shape (coupons, longest + 1)."""
    longest = int(coupons.display_days.max()) + 1
    day0 = coupons.sale_start // DAY_SECONDS
    offset = np.arange(longest)
    day = day0[:, None] + offset
    low = np.clip(coupons.sale_start[:, None] - day * DAY_SECONDS, 0, DAY_SECONDS)
    high = np.clip(coupons.sale_end[:, None] - day * DAY_SECONDS, 0, DAY_SECONDS)
    hours = clock.share_before(high) - clock.share_before(low)
    fade = np.where(coupons.is_free, 0.22, 0.80)[:, None] ** offset
    fade = np.maximum(fade, np.where(coupons.is_free, 0.01, 0.10)[:, None])
    share = hours * fade * season[np.minimum(day, len(season) - 1)]
    return share / share.sum(axis=1, keepdims=True)


def season_by_day(weekday: np.ndarray) -> np.ndarray:
    """Relative activity by day from seven weights, Sunday first."""
    days = np.arange(calendar.N_DAYS + 60)
    return (weekday / weekday.mean())[days % 7]


def _periods(year: Year) -> tuple[np.ndarray, np.ndarray]:
    """Period number of each day (-1 outside the log) and purchases per period."""
    days = np.arange(calendar.N_DAYS + 60)
    month = calendar.month_of_day(days)
    first_week = calendar.day_number(published.WEEK_PURCHASES_FROM)
    period = np.where(month >= 1, month - 1, -1)
    totals = np.array(year.month_purchases, dtype=float)
    weekly = np.array(year.week_purchases, dtype=float)
    week = (days - first_week) // 7
    in_weeks = (days >= first_week) & (week < len(weekly))
    april = calendar.day_number("2012-04-01")
    per_day = np.where(in_weeks, weekly[np.clip(week, 0, len(weekly) - 1)] / 7, 0)
    totals[9] -= per_day[(days >= april) & (month == 10)].sum()
    period[in_weeks] = len(totals) + week[in_weeks]
    period[days >= calendar.TEST_DAY] = -1
    sums = np.concatenate([totals[:10], [0, 0], weekly])
    return period, sums


def _large_area(names: Names, coupons: Coupons) -> tuple[np.ndarray, np.ndarray]:
    """Return each coupon's large area, and the areas' published shares of purchases.

    Areas are numbered as published; those without a figure of their own are one.
    """
    listed = list(published.LARGE_AREA_PURCHASES)
    place = np.array(
        [
            listed.index(slug) if slug in listed else len(listed)
            for slug in names.large_areas
        ]
    )
    share = np.array([*published.LARGE_AREA_PURCHASES.values()]) / 100
    share = np.append(share, 1 - share.sum())
    return place[names.prefecture_large_area[coupons.prefecture]], share


def _extra_by_group(
    group: np.ndarray, share: np.ndarray, fixed: np.ndarray, total: float
) -> np.ndarray:
    """Split the purchases that are not fixed so that groups have their shares of all.

    Parameters
    ----------
    group, fixed
        Each coupon's group, and its purchases that are fixed.
    share
        Wanted share of each group in all purchases, 0..1.
    total
        Purchases to be split.
    """
    taken = np.bincount(group, fixed, len(share))
    extra = np.maximum(share * (taken.sum() + total) - taken, 0.02 * total * share)
    return extra * total / extra.sum()
