"""Who the users are: published marginals, and tastes that no file shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.sample_data import calendar, published
from ml.sample_data.calendar import DAY_SECONDS
from ml.sample_data.names import Names
from ml.sample_data.streams import (
    draw_quota,
    even_by_group,
    even_choice,
    quota,
    random_hashes,
    stream,
)
from ml.sample_data.year import PUBLISHED, Year

N_HIDDEN = 4
BUYING_SHAPE = 0.75


@dataclass
class Users:
    """One entry per user in each array; seconds and days count from week 0.

    Attributes
    ----------
    genre_taste
        Log taste for each genre, shape (n, 13): sex, age and an unseen part.
    second_prefecture
        An unseen place besides the home (work, family), where the user buys too.
    hidden
        Unseen tastes for styles of shops, shape (n, N_HIDDEN).
    price_sensitivity, bargain_taste
        How much a high price repels and a deep discount attracts.
    buying, viewing
        Relative yearly rates of buying and of looking.
    """

    hashes: np.ndarray
    registered: np.ndarray
    withdrawn: np.ndarray
    is_female: np.ndarray
    age: np.ndarray
    has_prefecture: np.ndarray
    home_area: np.ndarray
    home_prefecture: np.ndarray
    second_prefecture: np.ndarray
    genre_taste: np.ndarray
    hidden: np.ndarray
    price_sensitivity: np.ndarray
    bargain_taste: np.ndarray
    buying: np.ndarray
    viewing: np.ndarray
    is_late: np.ndarray
    is_idle: np.ndarray
    never_views: np.ndarray

    def __len__(self) -> int:
        return len(self.hashes)

    @property
    def registered_week(self) -> np.ndarray:
        """Week of registration (negative before the first week)."""
        return np.floor_divide(self.registered, 7 * DAY_SECONDS)


def make_users(names: Names, n: int, seed: int, year: Year = PUBLISHED) -> Users:
    """Draw ``n`` users."""
    rng = stream(seed, "users")
    month = draw_quota(rng, [row[0] for row in year.registrations], n)
    registered = _registration_seconds(rng, month, year)
    female_share = np.array([row[2] for row in year.registrations]) / 100
    is_female = even_by_group(rng, month) < female_share[month]
    age = _ages(rng, is_female)
    has_prefecture = _has_prefecture(rng, month, age, year)
    home_area = _homes(rng, names, registered, has_prefecture)
    withdrawn = _withdrawals(rng, registered, n, year)
    home_prefecture = names.small_area_prefecture[home_area]
    shown_place = np.where(has_prefecture, home_prefecture, len(names.prefectures))
    is_late, is_idle, never_views = _inactive(rng, registered, withdrawn, shown_place)

    taste_rng = stream(seed, "tastes")
    n_genres = len(names.genres)
    genre_taste = taste_rng.normal(0, 0.75, (n, n_genres))
    genre_taste += _age_taste(names, age)
    hidden = taste_rng.normal(0, 1, (n, N_HIDDEN))
    price_sensitivity = 0.55 + 0.45 * taste_rng.normal(0, 1, n)
    bargain_taste = 0.5 * taste_rng.normal(0, 1, n)
    buying = taste_rng.gamma(BUYING_SHAPE, 1 / BUYING_SHAPE, n) + 0.02
    looking = taste_rng.lognormal(0, 0.85, n)
    viewing = (0.25 + buying) ** 0.75 * looking
    return Users(
        hashes=random_hashes(stream(seed, "user hashes"), n),
        registered=registered,
        withdrawn=withdrawn,
        is_female=is_female,
        age=age,
        has_prefecture=has_prefecture,
        home_area=home_area,
        home_prefecture=home_prefecture,
        second_prefecture=_second_places(taste_rng, names, home_prefecture),
        genre_taste=genre_taste,
        hidden=hidden,
        price_sensitivity=price_sensitivity,
        bargain_taste=bargain_taste,
        buying=buying,
        viewing=viewing,
        is_late=is_late,
        is_idle=is_idle,
        never_views=never_views,
    )


def _registration_seconds(
    rng: np.random.Generator, month: np.ndarray, year: Year
) -> np.ndarray:
    first_month = np.datetime64("2010-07")
    n_months = len(year.registrations)
    starts = (first_month + np.arange(n_months + 1)).astype("datetime64[D]")
    day_weights = {}
    for date, count in year.registration_peaks.items():
        day_weights[np.datetime64(date)] = count
    day = np.empty(len(month), dtype=np.int64)
    test_share = year.registrations_in_test_week / year.registrations[-1][0]
    for number in range(n_months):
        days = np.arange(starts[number], starts[number + 1])
        weights = rng.lognormal(0, 0.45, len(days))
        total = year.registrations[number][0]
        peaks = {d: c for d, c in day_weights.items() if d in days}
        for date, count in peaks.items():
            weights[days == date] = 0
            rest = total - sum(peaks.values())
            weights[days == date] = weights.sum() * count / rest
        if number == 0:
            weights[days < np.datetime64("2010-07-21")] = 0
        if number == n_months - 1:
            in_test = days >= calendar.TEST_SUNDAY
            weights[in_test] *= (
                test_share
                / (1 - test_share)
                * weights[~in_test].sum()
                / weights[in_test].sum()
            )
        members = np.flatnonzero(month == number)
        chosen = draw_quota(rng, weights, len(members))
        day[members] = (days[chosen] - calendar.FIRST_SUNDAY).astype(np.int64)
    clock = calendar.HourClock(np.array(published.REGISTRATION_HOURS))
    low, high = np.zeros(len(day)), np.full(len(day), float(DAY_SECONDS))
    first = (np.datetime64("2010-07-21") - calendar.FIRST_SUNDAY).astype(int)
    low[day == first] = 13.75 * 3600
    return day * DAY_SECONDS + clock.draw(rng, low, high).astype(np.int64)


def _ages(rng: np.random.Generator, is_female: np.ndarray) -> np.ndarray:
    age = np.empty(len(is_female), dtype=np.int64)
    for sex, column in ((True, 2), (False, 3)):
        members = np.flatnonzero(is_female == sex)
        bins = draw_quota(rng, [row[column] for row in published.AGES], len(members))
        low = np.array([row[0] for row in published.AGES])[bins]
        high = np.array([row[1] for row in published.AGES])[bins]
        # Within the open-ended first and last bins the middle ages dominate.
        level = rng.random(len(members))
        level = np.where(bins == 0, np.sqrt(level), level)
        level = np.where(bins == len(published.AGES) - 1, level**2, level)
        age[members] = low + np.floor(level * (high - low + 1)).astype(np.int64)
    return age


def _has_prefecture(
    rng: np.random.Generator, month: np.ndarray, age: np.ndarray, year: Year
) -> np.ndarray:
    by_month = np.array([row[1] for row in year.registrations]) / 100
    low = np.array([row[0] for row in published.AGES])
    age_bin = np.searchsorted(low, age, side="right") - 1
    by_age = np.array([row[4] for row in published.AGES]) / 100
    logit = np.log(by_month / (1 - by_month))[month]
    logit = logit + 0.8 * np.log(by_age / (1 - by_age))[age_bin]
    null_share = published.UNKNOWN_PREFECTURE_USERS / published.USERS
    # Shift each month so that its published share holds with the ages it has.
    shift = np.zeros(len(by_month))
    sizes = np.maximum(np.bincount(month, minlength=len(by_month)), 1)
    for _ in range(30):
        p = 1 / (1 + np.exp(-(logit + shift[month])))
        mean = np.bincount(month, p, minlength=len(by_month)) / sizes
        mean = np.clip(mean, 1e-6, 1 - 1e-6)
        shift += np.log(by_month / (1 - by_month)) - np.log(mean / (1 - mean))
    p = 1 / (1 + np.exp(-(logit + shift[month])))
    score = np.log(p / (1 - p)) - np.log(1 / rng.uniform(1e-9, 1, len(p)) - 1)
    n_null = round(null_share * len(p))
    is_null = np.zeros(len(p), dtype=bool)
    is_null[np.argsort(-score, kind="stable")[:n_null]] = True
    return ~is_null


def _homes(
    rng: np.random.Generator,
    names: Names,
    registered: np.ndarray,
    has_prefecture: np.ndarray,
) -> np.ndarray:
    """Draw the true home of every user; the files show it for some of them only.

    The users of each prefecture are spread evenly over the times of registration.
    """
    users_by_prefecture = np.array(
        [published.PREFECTURES[slug][0] for slug in names.prefectures], dtype=float
    )
    prefecture = np.empty(len(has_prefecture), dtype=np.int64)
    for known in (True, False):
        members = np.flatnonzero(has_prefecture == known)
        members = members[np.argsort(registered[members], kind="stable")]
        drawn = draw_quota(rng, users_by_prefecture, len(members))
        drawn = drawn[np.argsort(even_by_group(rng, drawn), kind="stable")]
        prefecture[members] = drawn
    # Where a prefecture is split, homes follow the coupons' split, but flatter.
    weight = np.array(
        [published.SMALL_AREA_COUPONS.get(slug, 1.0) for slug in names.small_areas]
    )
    weight = weight**0.35
    home = np.empty(len(prefecture), dtype=np.int64)
    for number in range(len(names.prefectures)):
        members = np.flatnonzero(prefecture == number)
        areas = np.flatnonzero(names.small_area_prefecture == number)
        home[members] = areas[draw_quota(rng, weight[areas], len(members))]
    return home


def _second_places(
    rng: np.random.Generator, names: Names, home: np.ndarray
) -> np.ndarray:
    """Draw places by their coupons, the nearer the likelier."""
    coupons = np.array([published.PREFECTURES[slug][2] for slug in names.prefectures])
    near = 0.2 + np.exp(-names.distance_km() / 150.0)
    chance = near * coupons[None, :] ** 1.2
    np.fill_diagonal(chance, 0)
    cumulative = np.cumsum(chance / chance.sum(axis=1, keepdims=True), axis=1)
    level = rng.random(len(home)) * 0.999999
    place = np.empty(len(home), dtype=np.int64)
    for number in range(len(coupons)):
        members = np.flatnonzero(home == number)
        place[members] = np.searchsorted(cumulative[number], level[members], "right")
    return np.minimum(place, len(coupons) - 1)


def _withdrawals(
    rng: np.random.Generator, registered: np.ndarray, n: int, year: Year
) -> np.ndarray:
    """Seconds of withdrawal, -1 for users who stay."""
    withdrawn = np.full(n, -1, dtype=np.int64)
    total = round(n * published.WITHDRAWN_USERS / published.USERS)
    counts = quota(year.withdrawals, total)
    for number, count in enumerate(counts):
        start = np.datetime64("2011-07") + number
        first = calendar.day_number(str(start.astype("datetime64[D]")))
        last = calendar.day_number(str((start + 1).astype("datetime64[D]")))
        moment = rng.integers(first * DAY_SECONDS, last * DAY_SECONDS, count)
        for second in np.sort(moment):
            tenure = (second - registered) / DAY_SECONDS
            weight = np.where(
                (tenure > 1) & (withdrawn < 0), np.exp(-tenure / 75) + 0.025, 0.0
            )
            cumulative = np.cumsum(weight)
            if cumulative[-1] <= 0:
                continue
            user = np.searchsorted(cumulative, rng.random() * cumulative[-1], "right")
            withdrawn[min(user, n - 1)] = second
    return withdrawn


def _inactive(
    rng: np.random.Generator,
    registered: np.ndarray,
    withdrawn: np.ndarray,
    place: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pick the few users who first buy in the test week, and those never seen.

    They are spread evenly over the prefectures that the files show (``place``).
    """
    n = len(registered)
    day = registered // DAY_SECONDS
    in_test = day >= calendar.TEST_DAY
    is_june = day >= calendar.day_number("2012-06-01")
    score = rng.random(n) + 2.0 * in_test
    n_late = round(n * published.NEVER_BOUGHT_USERS / published.USERS)
    n_late = max(n_late, int(in_test.sum()))
    n_june = max(int(in_test.sum()), round(n_late * 43 / 91))
    chance = in_test.astype(float)
    stays = (withdrawn < 0) & ~in_test
    for members, wanted in (
        (stays & is_june, n_june - int(in_test.sum())),
        (stays & ~is_june, n_late - n_june),
    ):
        chance[members] = np.clip(wanted / max(int(members.sum()), 1), 0, 1)
    is_late = in_test | even_choice(rng, chance, place)
    late = np.flatnonzero(is_late)
    n_idle = round(len(late) * published.NEVER_ACTIVE_USERS / 91)
    is_idle = in_test.copy()
    is_idle[late[np.argsort(-score[late], kind="stable")[:n_idle]]] = True
    never_views = np.zeros(n, dtype=bool)
    n_blind = round(n * published.NEVER_VIEWED_BUYERS / published.USERS)
    others = np.flatnonzero(~is_late & (day > 0))
    never_views[others[np.argsort(-score[others], kind="stable")[:n_blind]]] = True
    return is_late, is_idle, never_views


def _age_taste(names: Names, age: np.ndarray) -> np.ndarray:
    """Invented slopes: salons and lessons are for the younger, hotels for the older."""
    slope = {
        "delivery": 0.10,
        "food": -0.12,
        "other": 0.05,
        "hotel": 0.20,
        "gift": 0.0,
        "leisure": -0.12,
        "hair": -0.30,
        "relaxation": -0.20,
        "spa": -0.35,
        "nail": -0.45,
        "lesson": -0.15,
        "health": 0.10,
        "beauty": -0.30,
    }
    slopes = np.array([slope[genre] for genre in names.genres])
    return np.outer((age - 42.5) / 12.0, slopes)
