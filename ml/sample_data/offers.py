"""What shops offer: place, prices, capsule, listing areas, usable days, validity."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from ml.sample_data import published
from ml.sample_data.names import Names
from ml.sample_data.streams import draw_quota, even_levels

COARSE_PRICES = 0.45
# Genres with fewer shops have the mean and the spread of prices that chance gives.
MIN_SHOPS = 10
# Share of shops that list every area.
ALL_AREAS = {"lesson": 0.09, "gift": 0.02, "other": 0.01, "leisure": 0.008}


def places(
    rng: np.random.Generator, names: Names, genre: np.ndarray, sizes: np.ndarray
) -> np.ndarray:
    """Small area of each shop.

    ``sizes`` are coupons per shop; areas have their published share of the coupons.
    """
    coupons = np.array(
        [published.PREFECTURES[slug][2] for slug in names.prefectures], dtype=float
    )
    split = np.array(
        [published.SMALL_AREA_COUPONS.get(slug, 1.0) for slug in names.small_areas]
    )
    for number in range(len(names.prefectures)):
        areas = names.small_area_prefecture == number
        split[areas] /= split[areas].sum()
    tokyo = names.prefectures.index("tokyo")
    order = [names.large_areas.index(slug) for slug in published.LARGE_AREAS]
    place = np.empty(len(genre), dtype=np.int64)
    for number, slug in enumerate(names.genres):
        members = np.flatnonzero(genre == number)
        row = published.GENRE_PLACE[slug]
        large = np.zeros(len(order))
        large[order] = row[1:]
        share = np.zeros(len(coupons))
        for area in range(len(large)):
            inside = names.prefecture_large_area == area
            weights = np.where(inside, coupons, 0.0)
            left = large[area]
            if inside[tokyo]:
                share[tokyo] = row[0]
                weights[tokyo] = 0
                left -= row[0]
            share += weights / weights.sum() * max(left, 0)
        by_area = share[names.small_area_prefecture] * split
        level = even_levels(rng, sizes[members]) * by_area.sum()
        drawn = np.searchsorted(np.cumsum(by_area), level, side="right")
        place[members] = np.minimum(drawn, len(by_area) - 1)
    return place


def prices(
    rng: np.random.Generator, names: Names, genre: np.ndarray, sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Catalogue and discount price of each shop's offer, in yen.

    ``sizes`` are coupons per shop; prices spread as published over the coupons.
    """
    catalog = np.empty(len(genre))
    discount = np.empty(len(genre))
    levels = np.array([0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0])
    for number, slug in enumerate(names.genres):
        members = np.flatnonzero(genre == number)
        n = len(members)
        _, discount_sd, mean, sd = published.PRICES[slug][:4]
        points = (50, *published.RATES[slug])
        z_catalog = norm.ppf(even_levels(rng, sizes[members]))
        z_catalog = standardised(np.clip(z_catalog, -3.5, 3.5), sizes[members])
        z_free = norm.ppf(np.clip(even_levels(rng, sizes[members]), 1e-6, 1 - 1e-6))
        rate = linked_rates(
            z_catalog, z_free, sizes[members], sd, discount_sd, levels, points
        )
        low = rng.random(n) < 0.006
        rate[low] = rng.choice([0.0, 0.2, 0.3, 0.4, 0.45], size=int(low.sum()))
        raw = np.exp(mean + sd * z_catalog)
        catalog[members] = nice_catalog(rng, raw)
        half = np.abs(rate - 0.5) < 0.004
        price = nice_price(rng, catalog[members] * (1 - rate))
        most = np.floor(catalog[members] * np.where(low, 1.0, 0.5))
        price = np.where(half, catalog[members] // 2, np.minimum(price, most))
        discount[members] = np.where(rate == 0, catalog[members], price)
    return catalog.astype(np.int64), discount.astype(np.int64)


def standardised(values: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Shift and scale values to mean 0 and spread 1 over coupons; few stay as drawn."""
    if np.count_nonzero(sizes) < MIN_SHOPS:
        return values
    mean = np.average(values, weights=sizes)
    return (values - mean) / np.sqrt(np.average((values - mean) ** 2, weights=sizes))


def linked_rates(
    z_catalog: np.ndarray,
    z_free: np.ndarray,
    sizes: np.ndarray,
    sd: float,
    wanted_sd: float,
    levels: np.ndarray,
    points: tuple[float, ...],
) -> np.ndarray:
    """Discounts, tied to catalogue prices so that discount prices spread as wanted."""
    low, high = -0.97, 0.97
    rate = np.full(len(z_catalog), 0.5)
    for _ in range(30):
        link = (low + high) / 2
        z_keep = link * z_catalog + np.sqrt(1 - link**2) * z_free
        rate = np.interp(1 - norm.cdf(z_keep), levels, points) / 100
        log_price = sd * z_catalog + np.log(1 - rate)
        mean = (sizes * log_price).sum() / max(sizes.sum(), 1)
        spread = (sizes * (log_price - mean) ** 2).sum() / max(sizes.sum(), 1)
        if np.sqrt(spread) < wanted_sd:
            low = link
        else:
            high = link
    return rate


def nice_price(rng: np.random.Generator, price: np.ndarray) -> np.ndarray:
    """Round prices the way shops do: ...80, ...00, ...50."""
    kind = rng.choice(3, size=len(price), p=[0.46, 0.32, 0.22])
    step = np.where(price >= 10_000, 1000, np.where(price >= 1200, 100, 50))
    round_step = np.maximum(np.round(price / step), 1) * step
    eighty = np.maximum(np.round((price - 80) / 100), 0) * 100 + 80
    eighty = np.where(price > 3000, np.round((price - 980) / 500) * 500 + 480, eighty)
    fifty = np.maximum(np.round(price / 50), 1) * 50
    nice = np.select([kind == 0, kind == 1], [round_step, eighty], fifty)
    return np.maximum(nice, 50)


def nice_catalog(rng: np.random.Generator, price: np.ndarray) -> np.ndarray:
    """Round catalogue prices: half of them coarsely, half finely."""
    fine = np.where(price >= 10_000, 500, np.where(price >= 2000, 50, 10))
    coarse = np.where(price >= 10_000, 1000, np.where(price >= 2000, 500, 100))
    step = np.where(rng.random(len(price)) < COARSE_PRICES, coarse, fine)
    return np.maximum(np.round(price / step), 1) * step


def capsules(rng: np.random.Generator, names: Names, genre: np.ndarray) -> np.ndarray:
    """Draw the capsule of each shop within its genre."""
    capsule = np.empty(len(genre), dtype=np.int64)
    for number, slug in enumerate(names.genres):
        members = np.flatnonzero(genre == number)
        kinds = published.CAPSULES[slug]
        numbers = np.array([names.capsules.index(kind) for kind in kinds])
        drawn = draw_quota(rng, list(kinds.values()), len(members))
        capsule[members] = numbers[drawn]
    return capsule


def areas(
    rng: np.random.Generator,
    names: Names,
    genre: np.ndarray,
    place: np.ndarray,
    sizes: np.ndarray,
) -> np.ndarray:
    """Draw listing areas of each shop, shape (shops, 55), the nearest areas first."""
    n_areas = len(names.small_areas)
    want = np.ones(len(genre), dtype=np.int64)
    for number, slug in enumerate(names.genres):
        members = np.flatnonzero(genre == number)
        p25, p50, p75, p95, top, _ = published.GENRE_AREAS[slug]
        levels = [0.0, 0.02, 0.25, 0.5, 0.75, 0.95, 1.0]
        least = max(1.0, 0.75 * p25)
        largest = min(top, p95 * 1.12 + 1)
        drawn = np.interp(
            even_levels(rng, sizes[members]),
            levels,
            (1, least, p25, p50, p75, p95, largest),
        )
        everywhere = even_levels(rng, sizes[members]) < ALL_AREAS.get(slug, 0.0)
        drawn[everywhere] = n_areas
        wanted = published.GENRE_AREA_MEAN[slug] * sizes[members].sum()
        for _ in range(40):
            now = (np.round(drawn) * sizes[members]).sum()
            tail = (drawn > max(p75, 1.5)) & ~everywhere
            tail_sum = (drawn * sizes[members])[tail].sum()
            if tail_sum > 0:
                step = np.clip((wanted - now + tail_sum) / tail_sum, 0.7, 1.6)
                drawn[tail] = np.clip(drawn[tail] * step, 2, top)
        want[members] = np.clip(np.round(drawn), 1, n_areas)
    km = names.distance_km()[names.small_area_prefecture][
        :, names.small_area_prefecture
    ]
    lists = np.zeros((len(genre), n_areas), dtype=bool)
    for start in range(0, len(genre), 4096):
        rows = slice(start, min(start + 4096, len(genre)))
        noise = rng.exponential(60.0, (rows.stop - rows.start, n_areas))
        score = km[place[rows]] + noise
        score[np.arange(len(score)), place[rows]] = -1
        rank = np.argsort(np.argsort(score, axis=1, kind="stable"), axis=1)
        lists[rows] = rank < want[rows, None]
    return lists


def fill_share(rng: np.random.Generator, sizes: np.ndarray, share: float) -> np.ndarray:
    """Mark shops so that their coupons make up about ``share`` of all."""
    if share > 0.5:
        return ~fill_share(rng, sizes, 1 - share)
    wanted = share * sizes.sum()
    chosen = np.zeros(len(sizes), dtype=bool)
    left = round(wanted)
    chosen[sizes == 0] = rng.random(int((sizes == 0).sum())) < share
    for shop in rng.permutation(np.flatnonzero(sizes > 0)):
        if sizes[shop] <= left:
            chosen[shop] = True
            left -= sizes[shop]
        if left == 0:
            break
    return chosen


def usable(
    rng: np.random.Generator, names: Names, genre: np.ndarray, sizes: np.ndarray
) -> np.ndarray:
    """Usable-day flags of each shop, shape (shops, 9); -1 stands for null."""
    usable = np.full((len(genre), 9), -1, dtype=np.int64)
    for number, slug in enumerate(names.genres):
        members = np.flatnonzero(genre == number)
        null = fill_share(rng, sizes[members], published.USABLE_NULL[slug] / 100)
        members = members[~null]
        patterns = published.USABLE_PATTERNS[slug]
        shares = np.array(list(patterns.values())) / 100
        digits = np.array([[int(d) for d in text] for text in patterns])
        rest = max(1 - shares.sum(), 1e-9)
        level = even_levels(rng, sizes[members]) * (shares.sum() + rest)
        drawn = np.searchsorted(np.cumsum(shares), level, side="right")
        flags = np.ones((len(members), 9), dtype=np.int64)
        is_listed = drawn < len(shares)
        flags[is_listed] = digits[drawn[is_listed]]
        if slug in published.USABLE_ZERO:
            flags[~is_listed] = other_patterns(
                rng, slug, shares, digits, rest, sizes[members][~is_listed]
            )
        usable[members] = flags
    return usable


def other_patterns(
    rng: np.random.Generator,
    slug: str,
    shares: np.ndarray,
    digits: np.ndarray,
    rest: float,
    sizes: np.ndarray,
) -> np.ndarray:
    """Draw patterns outside the common ones so that the day-wise shares hold."""
    zero = np.array(published.USABLE_ZERO[slug]) / 100
    two = np.zeros(9)
    two[[4, 5, 6, 8]] = np.array(published.USABLE_TWO[slug]) / 100
    zero_left = np.clip((zero - shares @ (digits == 0)) / rest, 0, 0.95)
    two[[0, 1, 2, 3, 7]] = np.array([0.06, 0.045, 0.045, 0.035, 0.19]) * rest
    two_left = np.clip((two - shares @ (digits == 2)) / rest, 0, 0.95)
    level = np.stack([even_levels(rng, sizes) for _ in range(9)], axis=1)
    flags = np.ones(level.shape, dtype=np.int64)
    flags[level < zero_left] = 0
    flags[(level >= zero_left) & (level < zero_left + two_left)] = 2
    return flags


def without_validity(
    rng: np.random.Generator,
    names: Names,
    genre: np.ndarray,
    sizes: np.ndarray,
    no_days: np.ndarray,
) -> np.ndarray:
    """Shops whose coupons have no validity: among those without usable days first."""
    result = np.zeros(len(genre), dtype=bool)
    for number, slug in enumerate(names.genres):
        members = np.flatnonzero(genre == number)
        among = members[no_days[members]]
        total = sizes[members].sum()
        wanted = published.VALID_NULL[slug] / 100 * total
        share = min(wanted / max(sizes[among].sum(), 1), 1.0)
        result[among] = fill_share(rng, sizes[among], share)
    return result


def validity(
    rng: np.random.Generator,
    names: Names,
    genre: np.ndarray,
    end_day: np.ndarray,
    null: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """First and last day of validity, -1 where there is none."""
    lag = 1 + rng.choice(
        [0, 1, 2, 3, 8, 20], size=len(genre), p=[0.785, 0.08, 0.034, 0.017, 0.05, 0.034]
    )
    period = np.empty(len(genre))
    for number, slug in enumerate(names.genres):
        members = np.flatnonzero(genre == number)
        quartiles = published.VALID_QUARTILES[slug]
        points = (max(quartiles[0] * 0.35, 1), *quartiles, 179)
        period[members] = np.interp(
            rng.random(len(members)), [0, 0.25, 0.5, 0.75, 1], points
        )
    period = np.round(period).astype(np.int64)
    period[rng.random(len(genre)) < 0.003] = 0
    first = np.where(null, -1, end_day + lag)
    return first, np.where(null, -1, first + period)
