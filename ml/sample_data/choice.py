"""The choice model: who wants which coupon, and how strongly.

The expected number of purchases of coupon ``c`` by user ``u`` in week ``w`` is

    demand(c, w) * weight(u, w) * exp(taste(u, c)) * reach(u, c) / sum over users

where ``taste`` joins genre, price, discount depth and unseen styles, and ``reach``
falls with distance as the genre does. ``docs/sample-data.md`` has the details.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.sample_data import calendar, published
from ml.sample_data.calendar import DAY_SECONDS
from ml.sample_data.catalogue import Coupons
from ml.sample_data.drift import Drift
from ml.sample_data.names import Names
from ml.sample_data.streams import stream
from ml.sample_data.users import Users

# Products of factors on this grid are exact in single precision, so that a matrix
# product does not depend on the order of its sums (threads, blocks, libraries).
GRID = 64.0
DISTANCE_BINS_KM = np.array([0.5, 30.0, 60.0, 100.0, 200.0, 400.0])
# Lift of a purchase over chance by distance bin (same prefecture first).
LOCAL_LIFT = (4.7, 1.5, 1.55, 1.1, 0.35, 0.06, 0.05)
REACH = {
    "delivery": (1.0, 0.95, 1.0, 1.05, 1.1, 1.0, 1.0),
    "other": (1.02, 1.0, 1.0, 1.0, 1.05, 1.0, 1.0),
    "gift": (1.35, 1.1, 1.2, 1.1, 0.9, 0.8, 0.85),
    "lesson": (2.5, 1.1, 1.2, 1.0, 0.87, 0.54, 0.6),
    "hotel": (3.8, 1.5, 2.0, 3.3, 2.0, 0.55, 0.21),
    "leisure": (6.5, 1.5, 1.8, 2.8, 1.2, 0.15, 0.13),
    "hair": (5.9, 1.3, 1.25, 1.0, 0.2, 0.04, 0.05),
    "food": (4.6, 1.5, 1.6, 1.3, 0.5, 0.09, 0.08),
}
SPREAD = {
    "delivery": 1.2,
    "food": 1.1,
    "other": 1.25,
    "hotel": 1.1,
    "gift": 1.2,
    "leisure": 1.25,
    "hair": 0.9,
    "relaxation": 0.9,
    "spa": 0.95,
    "nail": 0.9,
    "lesson": 1.05,
    "health": 1.0,
    "beauty": 0.8,
}
DISPLAY_SLOPE = {"delivery": 1.7, "food": 1.6, "other": 1.0, "leisure": 1.5}
PRICE_SLOPE = {
    "delivery": -0.42,
    "food": -0.46,
    "other": -0.5,
    "leisure": -0.22,
    "spa": -0.2,
    "gift": -0.6,
}
CATCHMENT_SLOPE = {"food": 0.6, "leisure": 0.9, "hair": 0.5}
# Purchases by large area lie a little off what reach alone gives.
AREA_APPEAL = {"kansai": 1.2}
REPEAT_SHARE = {
    "food": 0.115,
    "leisure": 0.12,
    "hotel": 0.06,
    "delivery": 0.04,
    "gift": 0.01,
    "other": 0.02,
}
# Between the published shares (22 and 47 %) and what the published odds ask for.
HOTEL_OWN_PREFECTURE = 0.255
LEISURE_OWN_PREFECTURE = 0.51
HIDDEN_STRENGTH = 0.4
PRICE_STRENGTH = 0.45
RATE_SLOPE = 1.0
LONG_DISPLAY = 0.3
# Coupons that can be seen before their sale.
PREVIEW_COUPONS = 0.145
# Visits are a little more than the published total asks for: looks that do not end
# in a pair (dropped days) are lost.
LOOK_RESERVE = 1.04
LOOK_TUNING = {"gift": 0.7}
# Visits and flagged rows that a bought pair brings along.
VISITS_PER_PAIR = 3.9
FLAGGED_PER_PAIR = 0.76
# Nobody is expected to buy more often in a year.
MOST_WANTED = 60.0
# No ordinary coupon has more buyers in a full-size world.
MOST_PAIRS = 440.0
BALANCE_CELLS = 50_000_000
BALANCE_ROUNDS = 10
REFERENCE_USERS = 600
LISTED_LIFT = 1.35
SECOND_PLACE_LIFT = 12.0


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


def reach_table(names: Names) -> np.ndarray:
    """Lift by genre, home area and shop prefecture, shape (13, 55, 47)."""
    km = names.distance_km()[names.small_area_prefecture]
    bins = np.searchsorted(DISTANCE_BINS_KM, km)
    lifts = np.array([REACH.get(genre, LOCAL_LIFT) for genre in names.genres])
    return lifts[:, bins]


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


def _periods() -> tuple[np.ndarray, np.ndarray]:
    """Period number of each day (-1 outside the log) and purchases per period."""
    days = np.arange(calendar.N_DAYS + 60)
    month = calendar.month_of_day(days)
    first_week = calendar.day_number(published.WEEK_PURCHASES_FROM)
    period = np.where(month >= 1, month - 1, -1)
    totals = np.array(published.MONTH_PURCHASES, dtype=float)
    weekly = np.array(published.WEEK_PURCHASES, dtype=float)
    week = (days - first_week) // 7
    in_weeks = (days >= first_week) & (week < len(weekly))
    april = calendar.day_number("2012-04-01")
    per_day = np.where(in_weeks, weekly[np.clip(week, 0, len(weekly) - 1)] / 7, 0)
    totals[9] -= per_day[(days >= april) & (month == 10)].sum()
    period[in_weeks] = len(totals) + week[in_weeks]
    period[days >= calendar.TEST_DAY] = -1
    sums = np.concatenate([totals[:10], [0, 0], weekly])
    return period, sums


def make_demand(
    names: Names,
    users: Users,
    coupons: Coupons,
    seed: int,
    clock: calendar.HourClock,
    drift: Drift | None = None,
) -> Demand:
    """Set each coupon's expected purchases so that the published totals hold.

    A drift moves demand between genres for coupons released from its week on.
    """
    rng = stream(seed, "demand")
    n_users = len(users)
    size = n_users / published.USERS
    n = len(coupons)
    genre = coupons.genre
    by_genre = published.genre_array(published.GENRE_PURCHASES, names.genres)
    repeat = np.array([REPEAT_SHARE.get(g, 0.015) for g in names.genres])
    pairs_by_genre = by_genre * size * (1 - repeat)

    price_z = np.clip(price_scores(names, coupons), -3, 3)
    slopes = [DISPLAY_SLOPE.get(g, 0.7) for g in names.genres]
    display_slope = np.array(slopes)[genre]
    price_slope = np.array([PRICE_SLOPE.get(g, -0.1) for g in names.genres])[genre]
    catchment_slope = np.array([CATCHMENT_SLOPE.get(g, 0.35) for g in names.genres])
    catchment_slope = catchment_slope[genre]
    area_appeal = np.array([AREA_APPEAL.get(area, 1.0) for area in names.large_areas])
    spread = np.array([SPREAD[g] for g in names.genres])[genre]
    home_share = np.bincount(
        users.home_area, users.buying, minlength=len(names.small_areas)
    )
    catchment = np.einsum(
        "h,ghp->gp", home_share / home_share.sum(), reach_table(names)
    )[genre, coupons.prefecture]
    appeal = np.exp(
        spread * coupons.quality
        + display_slope * np.log(np.minimum(coupons.display_days, 5))
        + LONG_DISPLAY * (coupons.display_days >= 4)
        + price_slope * price_z
        + RATE_SLOPE * (coupons.price_rate / 100 - 0.58)
        + catchment_slope * np.log(catchment)
        + np.log(area_appeal[names.prefecture_large_area[coupons.prefecture]])
    )

    is_campaign = coupons.campaign > 0
    weekday = np.array(published.WEEKDAY_PURCHASES) / 100
    # Users choose among few days, which flattens the week: aim beyond the target.
    weekday = weekday**1.5 / (weekday**1.5).sum()
    season = season_by_day(weekday)
    guess = np.where(is_campaign, coupons.campaign, appeal / appeal.mean() * 8)
    for _ in range(6):
        share = day_shares(coupons, clock, season)
        release = (coupons.sale_start // DAY_SECONDS)[:, None]
        day = (release + np.arange(share.shape[1])) % 7
        now = np.bincount(day.ravel(), (share * guess[:, None]).ravel(), 7)
        season = season * season_by_day(weekday / (now / now.sum()))
    day = (coupons.sale_start // DAY_SECONDS)[:, None] + np.arange(share.shape[1])
    period_of_day, period_totals = _periods()
    period_totals = (
        period_totals * size * (published.PURCHASED_PAIRS / published.PURCHASES)
    )
    coupon_period = np.zeros((n, len(period_totals)))
    cell = period_of_day[np.minimum(day, len(period_of_day) - 1)]
    for column in range(len(period_totals)):
        coupon_period[:, column] = (share * (cell == column)).sum(axis=1)
    in_log = coupon_period.sum(axis=1)
    own_period = np.argmax(coupon_period + 1e-9, axis=1)

    ordinary = ~is_campaign
    n_genres = len(names.genres)
    wanted = pairs_by_genre - np.bincount(
        genre[is_campaign], (coupons.campaign * in_log)[is_campaign], n_genres
    )
    wanted = np.maximum(wanted, 0.1 * pairs_by_genre)
    listed = np.bincount(genre[ordinary], in_log[ordinary], n_genres)
    sure = np.clip(0.6 * wanted / np.maximum(listed, 1), 0, 1)[genre]
    sure[is_campaign] = 0
    period_wanted = period_totals - (
        (coupons.campaign[:, None] * coupon_period)[is_campaign]
    ).sum(axis=0)
    sure_by_period = (sure[:, None] * coupon_period)[ordinary].sum(axis=0)
    period_extra = np.maximum(period_wanted - sure_by_period, 0.2 * period_wanted)
    sure_by_genre = np.bincount(genre[ordinary], (sure * in_log)[ordinary], n_genres)
    genre_extra = np.maximum(wanted - sure_by_genre, 0.05 * wanted)

    extra = np.where(ordinary, appeal, 0.0)
    most = MOST_PAIRS * max(size, 0.05)
    for _ in range(60):
        now = np.bincount(genre, extra * in_log, n_genres)
        extra *= (genre_extra / np.maximum(now, 1e-9))[genre]
        now = (extra[:, None] * coupon_period).sum(axis=0)
        ratio = np.where(now > 0, period_extra / np.maximum(now, 1e-9), 1.0)
        ratio = np.clip(ratio, 0.2, 5.0) ** 0.7
        step = np.where(coupons.is_test, 1.0, ratio[own_period])
        extra = np.minimum(extra * step, most)
    is_test = coupons.is_test & ordinary
    if is_test.any():
        for number in range(n_genres):
            train = ordinary & ~coupons.is_test & (genre == number)
            test = is_test & (genre == number)
            if test.any() and train.any():
                extra[test] *= extra[train].mean() / max(extra[test].mean(), 1e-9)
    pairs = np.where(is_campaign, coupons.campaign, sure + extra)
    if drift is not None:
        pairs = pairs * drift.genre_factors(names, coupons)
        sure = np.minimum(sure, pairs)
    pairs = np.minimum(pairs, np.where(is_campaign, 0.45 * n_users, MOST_PAIRS * size))

    looks = _expected_looks(rng, names, genre, pairs, in_log, size)
    preview = np.zeros(n)
    for is_test in (False, True):
        members = np.flatnonzero(coupons.is_test == is_test)
        members = members[np.argsort(looks[members], kind="stable")]
        # Evenly over little and much looked at coupons.
        step = 1 / PREVIEW_COUPONS
        chosen = np.arange(step * rng.random(), len(members), step).astype(np.int64)
        preview[members[chosen]] = rng.beta(4.0, 11.0, len(chosen))
    return Demand(
        pairs=pairs,
        sure=sure,
        day_share=share,
        looks=looks,
        preview=preview,
        pairs_in_log=float((pairs * in_log).sum()),
    )


class Preferences:
    """Tastes as matrices: weights of users for coupons, in blocks.

    Parameters
    ----------
    names, users, coupons, demand
        The world so far.
    wanted
        Expected purchases per user over the year, beyond the first.

    Attributes
    ----------
    level
        Factor per user that turns relative weights into the wanted yearly total.
    typical
        Mean weight of each coupon over users.
    """

    def __init__(
        self,
        names: Names,
        users: Users,
        coupons: Coupons,
        demand: Demand,
        wanted: np.ndarray,
    ) -> None:
        self._users = users
        self._coupons = coupons
        self._own_lift = np.ones(len(names.genres))
        self._sex_taste = np.zeros(len(names.genres))
        self._make_reach(names)
        self._coupon_factors = self._factors_of_coupons(names)
        self._make_user_factors()
        self._balance(names, demand, wanted)
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

    def _balance(self, names: Names, demand: Demand, wanted: np.ndarray) -> None:
        """Fit user levels, sex terms and own-prefecture lifts to published totals.

        Works on a sample of coupons, drawn with equal spacing along the cumulated
        demand of each genre. All sums are elementwise sums of numpy, which do not
        depend on the number of threads.
        """
        users, coupons = self._users, self._coupons
        n_sample = int(np.clip(BALANCE_CELLS // len(users), 400, 2500))
        sample, mass = _sample_coupons(coupons, demand.pairs, n_sample)
        weights = self.block(sample, np.arange(len(users)))
        genre = coupons.genre[sample]
        own = coupons.prefecture[sample][:, None] == users.home_prefecture[None, :]
        known = users.has_prefecture
        female = published.genre_array(published.GENRE_FEMALE, names.genres)
        at_home = published.genre_array(published.GENRE_OWN_PREFECTURE, names.genres)
        at_home[names.genres.index("hotel")] = HOTEL_OWN_PREFECTURE
        at_home[names.genres.index("leisure")] = LEISURE_OWN_PREFECTURE
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
                women = float(part[:, users.is_female].sum(dtype=np.float64))
                men = float(part[:, ~users.is_female].sum(dtype=np.float64))
                home = float(part[own[rows] & known[None, :]].sum(dtype=np.float64))
                away = float(part[:, known].sum(dtype=np.float64)) - home
                if min(women, men) > 0:
                    step = _odds(female[number]) - np.log(women / men)
                    step = float(np.clip(step, -1.5, 1.5))
                    self._sex_taste[number] += step
                    weights[np.ix_(rows, np.flatnonzero(users.is_female))] *= np.exp(
                        np.float32(step)
                    )
                if min(home, away) > 0:
                    step = _odds(at_home[number]) - np.log(home / away)
                    step = float(np.clip(step, -0.7, 0.7))
                    reach = float(np.log(self._own_lift[number]))
                    step = float(np.clip(reach + step, -4.0, 4.0)) - reach
                    self._own_lift[number] *= np.exp(step)
                    weights[rows] *= np.where(
                        own[rows], np.float32(np.exp(step)), np.float32(1)
                    )
        self._sex_taste = np.clip(self._sex_taste, -6, 6)
        self.level = level / np.maximum(wanted, 1e-30)
        self.level /= np.average(self.level, weights=wanted)

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


def _expected_looks(
    rng: np.random.Generator,
    names: Names,
    genre: np.ndarray,
    pairs: np.ndarray,
    in_log: np.ndarray,
    size: float,
) -> np.ndarray:
    """Return expected users per coupon who look and do not buy.

    Visits grow less than proportionally with purchases. Their level by genre fits
    the published mean of visits per flagged purchase, the exponent the total.
    """
    n_genres = len(names.genres)
    ratio = published.genre_array(published.GENRE_VIEWS_PER_FLAGGED, names.genres)
    noise = np.exp(0.7 * np.clip(rng.normal(0, 1, len(pairs)), -1.6, 1.6))
    flagged = np.maximum(FLAGGED_PER_PAIR * pairs, 1.0)
    listed = (published.VISITS - published.UNLISTED_VISITS) * size * LOOK_RESERVE
    ratio *= np.array([LOOK_TUNING.get(g, 1.0) for g in names.genres])
    counts = np.maximum(np.bincount(genre, in_log, n_genres), 1e-9)
    low, high = 0.0, 1.0
    for _ in range(30):
        power = (low + high) / 2
        visits = np.maximum(pairs, 0.3) ** power * noise
        mean = np.bincount(genre, visits / flagged * in_log, n_genres) / counts
        visits *= (ratio / np.maximum(mean, 1e-9))[genre]
        if (visits * in_log).sum() < listed:
            low = power
        else:
            high = power
    visits *= listed / (visits * in_log).sum()
    return np.maximum(visits - VISITS_PER_PAIR * pairs, 0.15 * visits) / 1.293


def price_scores(names: Names, coupons: Coupons) -> np.ndarray:
    """Return the standard score of each coupon's log price within its genre."""
    mean = np.array([published.PRICES[g][0] for g in names.genres])
    sd = np.array([published.PRICES[g][1] for g in names.genres])
    log_price = np.log(np.maximum(coupons.discount_price, 50))
    return (log_price - mean[coupons.genre]) / sd[coupons.genre]


def _on_grid(values: np.ndarray) -> np.ndarray:
    return (np.round(values * GRID) / GRID).astype(np.float32)


def presence_by_week(users: Users) -> np.ndarray:
    """How present each user is in each week, shape (users, 53).

    A registration is followed by a busy time that fades; users of before the log
    have settled.
    """
    week = np.arange(calendar.N_WEEKS)
    registered = users.registered_week
    tenure = (week[None, :] - registered[:, None]).astype(np.float32)
    presence = np.where(
        registered[:, None] < 0,
        0.165,
        0.085 + 0.20 * np.exp(-np.maximum(tenure, 0) / 10),
    ).astype(np.float32)
    presence[tenure < 0] = 0
    begun = week[None, :] == registered[:, None]
    in_week = 1 - (users.registered % (7 * DAY_SECONDS)) / (7 * DAY_SECONDS)
    presence *= np.where(begun, in_week[:, None], 1.0).astype(np.float32)
    gone = (users.withdrawn >= 0)[:, None] & (
        week[None, :] >= (users.withdrawn // (7 * DAY_SECONDS))[:, None]
    )
    presence[gone] = 0
    presence[users.withdrawn >= 0] *= 0.4
    presence[users.is_late, : calendar.TEST_WEEK] = 0
    return presence


def wanted_purchases(
    names: Names, users: Users, presence: np.ndarray, total_pairs: float
) -> np.ndarray:
    """Fit purchases per user beyond the first to published group means."""
    pairs_per_purchase = published.PURCHASED_PAIRS / published.PURCHASES
    wanted = users.buying * presence[:, : calendar.N_TRAIN_WEEKS].sum(axis=1)
    certain = (~users.is_late).astype(float)
    upper = np.array([row[0] for row in published.AGE_PURCHASES])
    age_group = np.minimum(np.searchsorted(upper, users.age), len(upper) - 1)
    age_mean = np.array([row[1] for row in published.AGE_PURCHASES])
    place = np.where(
        users.has_prefecture, users.home_prefecture, len(names.prefectures)
    )
    figures = [published.PREFECTURES[slug] for slug in names.prefectures]
    place_mean = np.array(
        [f[1] / f[0] for f in figures]
        + [published.UNKNOWN_PREFECTURE_PURCHASES / published.UNKNOWN_PREFECTURE_USERS]
    )
    for _ in range(12):
        for group, mean in ((age_group, age_mean), (place, place_mean)):
            sizes = np.bincount(group, minlength=len(mean))
            target = mean * sizes * pairs_per_purchase
            target -= np.bincount(group, certain, minlength=len(mean))
            now = np.bincount(group, wanted, minlength=len(mean))
            ratio = np.clip(target, 0.2 * sizes, None) / np.maximum(now, 1e-9)
            # Few users: do not force one person to stand for a prefecture.
            trust = sizes / (sizes + 3.0)
            wanted = wanted * np.clip(ratio, 0.05, 20)[group] ** trust[group]
    wanted = np.minimum(wanted, MOST_WANTED)
    return wanted * max(total_pairs - certain.sum(), 0.1) / max(wanted.sum(), 1e-9)


def weights_by_week(
    presence: np.ndarray, wanted: np.ndarray, weekly_pairs: np.ndarray
) -> np.ndarray:
    """Spread each user's wanted purchases over the weeks, shape (users, 53).

    Fits rows to the users' totals and columns to the weeks' totals; the test week
    comes on top.
    """
    weights = presence.astype(np.float32).copy()
    last = calendar.N_TRAIN_WEEKS
    rows = wanted.astype(np.float32)
    for _ in range(12):
        now = weights[:, :last].sum(axis=1)
        weights *= (rows / np.maximum(now, 1e-9))[:, None] * (now > 0)[:, None]
        columns = weights.sum(axis=0, dtype=np.float64)
        factor = weekly_pairs / np.maximum(columns, 1e-9)
        weights *= np.clip(factor, 0, 1e6).astype(np.float32)[None, :]
    return weights
