"""Which coupons are on sale: shops, re-issues, prices, places, listing areas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from ml.sample_data import calendar, published
from ml.sample_data.calendar import DAY_SECONDS
from ml.sample_data.names import Names
from ml.sample_data.streams import draw_quota, quota, random_hashes, stream
from ml.sample_data.users import N_HIDDEN

NOON = DAY_SECONDS // 2
# Part of the variance of quality that re-issues of one offer share.
SHARED_QUALITY = 0.35
REISSUE_LEVEL = 1.07


@dataclass
class Coupons:
    """One entry per coupon; train coupons first, then test coupons.

    Seconds and days count from week 0; ``-1`` stands for null. ``shop`` numbers the
    (shop, offer) that re-issues share. ``quality`` and ``hidden`` are seen nowhere.
    """

    hashes: np.ndarray
    is_test: np.ndarray
    genre: np.ndarray
    capsule: np.ndarray
    is_misspelt: np.ndarray
    small_area: np.ndarray
    prefecture: np.ndarray
    catalog_price: np.ndarray
    discount_price: np.ndarray
    price_rate: np.ndarray
    sale_start: np.ndarray
    sale_end: np.ndarray
    display_days: np.ndarray
    valid_from: np.ndarray
    valid_until: np.ndarray
    usable: np.ndarray
    shop: np.ndarray
    quality: np.ndarray
    hidden: np.ndarray
    is_free: np.ndarray
    campaign: np.ndarray
    newcomer_pull: np.ndarray
    has_areas: np.ndarray
    area_lists: np.ndarray

    def __len__(self) -> int:
        return len(self.hashes)


def catalogue_scale(n_users: int) -> float:
    """Share of the full catalogue that a world of ``n_users`` shows.

    The square root of the share of users, at most 1: a tenth of the users see about
    a third of the coupons, so that small worlds keep both choice and purchases per
    coupon. Larger worlds keep the full catalogue.
    """
    return min(1.0, float(np.sqrt(n_users / published.USERS)))


def make_coupons(names: Names, n_users: int, seed: int) -> Coupons:
    """Draw the catalogue for a world of ``n_users`` users."""
    rng = stream(seed, "coupons")
    scale = catalogue_scale(n_users)
    release_day, is_test, genre = _releases(rng, names, scale)
    shop = _shops(rng, names, genre, release_day, is_test)
    n, n_shops = len(shop), int(shop.max()) + 1
    genre_of_shop = np.zeros(n_shops, dtype=np.int64)
    genre_of_shop[shop] = genre

    place_of_shop = _places(rng, names, genre_of_shop)
    catalog_of_shop, discount_of_shop = _prices(rng, names, genre_of_shop)
    capsule_of_shop = _capsules(rng, names, genre_of_shop)
    areas_of_shop = _areas(
        rng,
        names,
        genre_of_shop,
        place_of_shop,
        np.bincount(shop[~is_test], minlength=n_shops),
    )
    size_of_shop = np.bincount(shop[~is_test], minlength=n_shops)
    usable_of_shop = _usable(rng, names, genre_of_shop, size_of_shop)
    no_validity = _without_validity(
        rng, names, genre_of_shop, size_of_shop, usable_of_shop[:, 0] < 0
    )
    quality_of_shop = np.clip(rng.normal(0, 1, n_shops), -2.5, 2.5)
    hidden_of_shop = rng.normal(0, 1, (n_shops, N_HIDDEN))

    catalog, discount = catalog_of_shop[shop], discount_of_shop[shop]
    capsule = capsule_of_shop[shop]
    late = (genre == names.genres.index("lesson")) & (
        release_day >= calendar.day_number(published.LATE_LESSONS_FROM)
    )
    new_names = [names.capsules.index(c) for c in published.LATE_LESSONS]
    capsule[late] = rng.choice(new_names, size=int(late.sum()))
    beauty = names.capsules.index("beauty")
    is_misspelt = np.zeros(n, dtype=bool)
    misspelt = np.flatnonzero((capsule == beauty) & ~is_test)
    is_misspelt[misspelt[: 1 if len(misspelt) > 1 else 0]] = True

    display = _display_days(rng, names, genre, release_day, is_test)
    sale_start = release_day * DAY_SECONDS + NOON
    valid_from, valid_until = _validity(
        rng, names, genre, release_day + display, no_validity[shop]
    )
    usable = usable_of_shop[shop]

    coupons = Coupons(
        hashes=random_hashes(stream(seed, "coupon hashes"), n),
        is_test=is_test,
        genre=genre,
        capsule=capsule,
        is_misspelt=is_misspelt,
        small_area=place_of_shop[shop],
        prefecture=names.small_area_prefecture[place_of_shop[shop]],
        catalog_price=catalog,
        discount_price=discount,
        price_rate=np.zeros(n, dtype=np.int64),
        sale_start=sale_start,
        sale_end=sale_start + display * DAY_SECONDS,
        display_days=display,
        valid_from=valid_from,
        valid_until=valid_until,
        usable=usable,
        shop=shop,
        quality=np.sqrt(SHARED_QUALITY) * quality_of_shop[shop]
        + np.sqrt(1 - SHARED_QUALITY) * rng.normal(0, 1, n),
        hidden=hidden_of_shop[shop],
        is_free=np.zeros(n, dtype=bool),
        campaign=np.zeros(n),
        newcomer_pull=np.zeros(n),
        has_areas=np.ones(n, dtype=bool),
        area_lists=areas_of_shop[shop],
    )
    _campaigns(rng, names, coupons, n_users)
    coupons.price_rate = np.floor(
        100 * (coupons.catalog_price - coupons.discount_price) / coupons.catalog_price
        + 1e-9
    ).astype(np.int64)
    coupons.has_areas = coupons.sale_start >= calendar.FIRST_LOG_DAY * DAY_SECONDS
    return coupons


def _releases(
    rng: np.random.Generator, names: Names, scale: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Release days in order, list membership, and genres."""
    n_train = max(60, round(published.TRAIN_COUPONS * scale))
    n_test = max(20, round(published.TEST_COUPONS * scale))
    early = max(2, round(published.FIRST_WEEK_NO_AREA * scale))
    per_week = quota(published.WEEK_COUPONS, n_train)
    weekday = np.array(published.WEEKDAY_RELEASES)
    days = []
    for week, count in enumerate(per_week):
        if week == 0:
            # A few releases of 27 to 30 June come before the log opens.
            in_june = min(early, max(count - 1, 1))
            days.append(1 + draw_quota(rng, np.ones(4), in_june))
            days.append(5 + draw_quota(rng, np.ones(2), count - in_june))
        else:
            days.append(week * 7 + draw_quota(rng, weekday, count))
    days.append(calendar.TEST_DAY + draw_quota(rng, published.TEST_DAY_COUPONS, n_test))
    day = np.concatenate(days)
    order = np.lexsort((rng.random(len(day)), day))
    day = day[order]
    is_test = day >= calendar.TEST_DAY

    total = published.genre_array(published.GENRE_COUPONS, names.genres)
    in_test = published.genre_array(published.GENRE_TEST_COUPONS, names.genres)
    weekly = _genre_by_week(names, total, per_week)
    genre = np.empty(len(day), dtype=np.int64)
    week = day // 7
    counts = _round_table(weekly, quota(total, n_train), per_week)
    tuesday = published.genre_array(published.GENRE_TUESDAY, names.genres)
    for number in range(calendar.N_TRAIN_WEEKS):
        members = np.flatnonzero(week == number)
        drawn = np.repeat(np.arange(len(total)), counts[number])
        rng.shuffle(drawn)
        genre[members] = _tuesdays(rng, drawn, day[members] % 7 == 2, tuesday)
    members = np.flatnonzero(is_test)
    genre[members] = draw_quota(rng, in_test, len(members))
    return day, is_test, genre


def _tuesdays(
    rng: np.random.Generator,
    genre: np.ndarray,
    is_tuesday: np.ndarray,
    tuesday_share: np.ndarray,
) -> np.ndarray:
    """Arrange a week's genres over its slots so that some genres prefer Tuesdays."""
    pull = np.log(tuesday_share / (100 - tuesday_share))[genre]
    noise = rng.logistic(0, 1, len(genre))
    ranked = genre[np.argsort(-(pull + noise), kind="stable")]
    slots = np.argsort(~is_tuesday, kind="stable")
    arranged = np.empty_like(genre)
    n_tuesday = int(is_tuesday.sum())
    arranged[slots[:n_tuesday]] = ranked[:n_tuesday]
    rest = ranked[n_tuesday:]
    rng.shuffle(rest)
    arranged[slots[n_tuesday:]] = rest
    return arranged


def _genre_by_week(names: Names, total: np.ndarray, per_week: np.ndarray) -> np.ndarray:
    """Expected coupons per week and genre: monthly shares, fitted to both totals."""
    month = calendar.month_of_day(np.arange(len(per_week)) * 7 + 3)
    shares = np.tile(total / total.sum(), (len(per_week), 1))
    for genre, by_month in published.MONTH_GENRE_SHARE.items():
        shares[:, names.genres.index(genre)] = np.array(by_month)[month]
    named = [names.genres.index(g) for g in published.MONTH_GENRE_SHARE]
    rest = np.setdiff1d(np.arange(len(total)), named)
    left = 1 - shares[:, named].sum(axis=1, keepdims=True)
    shares[:, rest] *= left / shares[:, rest].sum(axis=1, keepdims=True)
    table = shares * per_week[:, None]
    target = total / total.sum() * per_week.sum()
    for _ in range(50):
        table *= target / np.maximum(table.sum(axis=0), 1e-12)
        table *= (per_week / np.maximum(table.sum(axis=1), 1e-12))[:, None]
    return table


def _round_table(
    table: np.ndarray, column_totals: np.ndarray, row_totals: np.ndarray
) -> np.ndarray:
    """Round a table to whole numbers with the given row and column totals."""
    counts = np.diff(np.floor(np.cumsum(table, axis=0) + 0.5), axis=0, prepend=0)
    counts = counts.astype(np.int64)
    for _ in range(100):
        surplus_row = counts.sum(axis=1) - row_totals
        surplus_column = counts.sum(axis=0) - column_totals
        high = np.flatnonzero(surplus_row > 0)
        low = np.flatnonzero(surplus_row < 0)
        if len(high) == 0 and len(low) == 0:
            break
        for row in high:
            for _ in range(surplus_row[row]):
                ok = np.where(counts[row] > 0, surplus_column, -np.inf)
                column = int(np.argmax(ok))
                counts[row, column] -= 1
                surplus_column[column] -= 1
        for row in low:
            for _ in range(-surplus_row[row]):
                column = int(np.argmin(surplus_column))
                counts[row, column] += 1
                surplus_column[column] += 1
    # Move single coupons between genres where a genre's yearly total is off.
    surplus = counts.sum(axis=0) - column_totals
    while (surplus > 0).any():
        source = int(np.argmax(surplus))
        sink = int(np.argmin(surplus))
        row = int(np.argmax(counts[:, source]))
        counts[row, source] -= 1
        counts[row, sink] += 1
        surplus = counts.sum(axis=0) - column_totals
    return counts


def _shops(
    rng: np.random.Generator,
    names: Names,
    genre: np.ndarray,
    day: np.ndarray,
    is_test: np.ndarray,
) -> np.ndarray:
    """Number the shop behind each coupon; some shops issue the same offer again.

    Shop sizes are drawn per genre (1, or 2 plus a geometric tail); the issues of a
    shop lie some weeks apart; slots in time order take them.
    """
    reissued = published.genre_array(published.GENRE_REISSUED, names.genres)
    shop = np.empty(len(genre), dtype=np.int64)
    first = 0
    for number in range(len(names.genres)):
        slots = np.flatnonzero(genre == number)
        n = len(slots)
        if n == 0:
            continue
        # Lives of shops reach beyond the year at both ends: draw more, cut, rank.
        multi = float(np.clip(REISSUE_LEVEL * reissued[number], 0.05, 0.9))
        mean_size = 3.3
        share = multi / mean_size / (multi / mean_size + 1 - multi)
        m = 4 * n + 20
        size = np.where(rng.random(m) < share, 1 + rng.geometric(1 / 2.2, m), 1)
        size = np.where(
            (size > 1) & (rng.random(m) < 0.02), size + rng.integers(5, 40, m), size
        )
        owner = np.repeat(np.arange(m), size)
        start = rng.random(m) * 1000 - 630
        gap = rng.lognormal(np.log(24.0), 1.1, len(owner))
        begin = np.concatenate([[0], np.cumsum(size)[:-1]])
        gap[begin] = 0
        walked = np.cumsum(gap)
        moment = start[owner] + walked - walked[begin][owner]
        inside = np.flatnonzero((moment >= 0) & (moment < 370))
        inside = inside[:n] if len(inside) >= n else inside
        while len(inside) < n:
            inside = np.concatenate([inside, inside])[:n]
        order = np.argsort(moment[inside], kind="stable")
        _, ranked = np.unique(owner[inside][order], return_inverse=True)
        shop[slots] = first + ranked
        first += int(ranked.max()) + 1
    _, shop = np.unique(shop, return_inverse=True)
    return shop


def _places(rng: np.random.Generator, names: Names, genre: np.ndarray) -> np.ndarray:
    """Small area of each shop."""
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
        place[members] = draw_quota(rng, by_area, len(members))
    return place


def _prices(
    rng: np.random.Generator, names: Names, genre: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Catalogue and discount price of each shop's offer, in yen."""
    catalog = np.empty(len(genre))
    discount = np.empty(len(genre))
    levels = np.array([0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0])
    for number, slug in enumerate(names.genres):
        members = np.flatnonzero(genre == number)
        n = len(members)
        _, discount_sd, mean, sd = published.PRICES[slug][:4]
        points = (50, *published.RATES[slug])
        z_catalog = norm.ppf((rng.permutation(n) + rng.random(n)) / max(n, 1))
        z_catalog = np.clip(z_catalog, -3.5, 3.5)
        z_free = rng.normal(0, 1, n)
        rate = _linked_rates(z_catalog, z_free, sd, discount_sd, levels, points)
        low = rng.random(n) < 0.006
        rate[low] = rng.choice([0.0, 0.2, 0.3, 0.4, 0.45], size=int(low.sum()))
        raw = np.exp(mean + sd * z_catalog)
        catalog[members] = _nice_catalog(raw)
        half = np.abs(rate - 0.5) < 0.004
        price = _nice_price(rng, catalog[members] * (1 - rate))
        most = np.floor(catalog[members] * np.where(low, 1.0, 0.5))
        price = np.where(half, catalog[members] // 2, np.minimum(price, most))
        discount[members] = np.where(rate == 0, catalog[members], price)
    return catalog.astype(np.int64), discount.astype(np.int64)


def _linked_rates(
    z_catalog: np.ndarray,
    z_free: np.ndarray,
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
        spread = np.std(sd * z_catalog + np.log(1 - rate)) if len(rate) > 1 else 0.0
        if spread < wanted_sd:
            low = link
        else:
            high = link
    return rate


def _nice_price(rng: np.random.Generator, price: np.ndarray) -> np.ndarray:
    """Round prices the way shops do: ...80, ...00, ...50."""
    kind = rng.choice(3, size=len(price), p=[0.46, 0.32, 0.22])
    step = np.where(price >= 10_000, 1000, np.where(price >= 1200, 100, 50))
    round_step = np.maximum(np.round(price / step), 1) * step
    eighty = np.maximum(np.round((price - 80) / 100), 0) * 100 + 80
    eighty = np.where(price > 3000, np.round((price - 980) / 500) * 500 + 480, eighty)
    fifty = np.maximum(np.round(price / 50), 1) * 50
    nice = np.select([kind == 0, kind == 1], [round_step, eighty], fifty)
    return np.maximum(nice, 50)


def _nice_catalog(price: np.ndarray) -> np.ndarray:
    step = np.where(price >= 10_000, 500, np.where(price >= 2000, 50, 10))
    return np.maximum(np.round(price / step), 1) * step


def _capsules(rng: np.random.Generator, names: Names, genre: np.ndarray) -> np.ndarray:
    capsule = np.empty(len(genre), dtype=np.int64)
    for number, slug in enumerate(names.genres):
        members = np.flatnonzero(genre == number)
        kinds = published.CAPSULES[slug]
        numbers = np.array([names.capsules.index(kind) for kind in kinds])
        drawn = draw_quota(rng, list(kinds.values()), len(members))
        capsule[members] = numbers[drawn]
    return capsule


def _areas(
    rng: np.random.Generator,
    names: Names,
    genre: np.ndarray,
    place: np.ndarray,
    sizes: np.ndarray,
) -> np.ndarray:
    """Listing areas of each shop, shape (shops, 55), the nearest areas first."""
    n_areas = len(names.small_areas)
    want = np.ones(len(genre), dtype=np.int64)
    for number, slug in enumerate(names.genres):
        members = np.flatnonzero(genre == number)
        p25, p50, p75, p95, top, one = published.GENRE_AREAS[slug]
        levels = [0.0, 0.02, 0.25, 0.5, 0.75, 0.95, 1.0]
        least = max(1.0, 0.75 * p25)
        largest = min(top, p95 * 1.12 + 1)
        drawn = np.interp(
            rng.random(len(members)), levels, (1, least, p25, p50, p75, p95, largest)
        )
        wanted = published.GENRE_AREA_MEAN[slug] * sizes[members].sum()
        for _ in range(40):
            now = (np.round(drawn) * sizes[members]).sum()
            tail = drawn > max(p75, 1.5)
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


def _fill_share(
    rng: np.random.Generator, sizes: np.ndarray, share: float
) -> np.ndarray:
    """Mark shops so that their coupons make up ``share`` of all, as nearly as can be."""
    if share > 0.5:
        return ~_fill_share(rng, sizes, 1 - share)
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


def _usable(
    rng: np.random.Generator, names: Names, genre: np.ndarray, sizes: np.ndarray
) -> np.ndarray:
    """Usable-day flags of each shop, shape (shops, 9); -1 stands for null."""
    usable = np.full((len(genre), 9), -1, dtype=np.int64)
    for number, slug in enumerate(names.genres):
        members = np.flatnonzero(genre == number)
        null = _fill_share(rng, sizes[members], published.USABLE_NULL[slug] / 100)
        members = members[~null]
        patterns = published.USABLE_PATTERNS[slug]
        shares = np.array(list(patterns.values())) / 100
        digits = np.array([[int(d) for d in text] for text in patterns])
        rest = max(1 - shares.sum(), 1e-9)
        drawn = rng.choice(
            len(shares) + 1,
            size=len(members),
            p=np.append(shares, rest) / (shares.sum() + rest),
        )
        flags = np.ones((len(members), 9), dtype=np.int64)
        is_listed = drawn < len(shares)
        flags[is_listed] = digits[drawn[is_listed]]
        if slug in published.USABLE_ZERO:
            flags[~is_listed] = _other_patterns(
                rng, slug, shares, digits, rest, int((~is_listed).sum())
            )
        usable[members] = flags
    return usable


def _other_patterns(
    rng: np.random.Generator,
    slug: str,
    shares: np.ndarray,
    digits: np.ndarray,
    rest: float,
    n: int,
) -> np.ndarray:
    """Draw patterns outside the common ones so that the day-wise shares hold."""
    zero = np.array(published.USABLE_ZERO[slug]) / 100
    two = np.zeros(9)
    two[[4, 5, 6, 8]] = np.array(published.USABLE_TWO[slug]) / 100
    zero_left = np.clip((zero - shares @ (digits == 0)) / rest, 0, 0.95)
    two[[0, 1, 2, 3, 7]] = np.array([0.06, 0.045, 0.045, 0.035, 0.19]) * rest
    two_left = np.clip((two - shares @ (digits == 2)) / rest, 0, 0.95)
    level = rng.random((n, 9))
    flags = np.ones((n, 9), dtype=np.int64)
    flags[level < zero_left] = 0
    flags[(level >= zero_left) & (level < zero_left + two_left)] = 2
    return flags


def _display_days(
    rng: np.random.Generator,
    names: Names,
    genre: np.ndarray,
    day: np.ndarray,
    is_test: np.ndarray,
) -> np.ndarray:
    """Days on display: the genre's mix, fitted to the month's mean and long share."""
    base = np.array([published.DISPLAY_DAYS[slug] for slug in names.genres], float)
    base = base / base.sum(axis=1, keepdims=True)
    lengths = np.array([0, 1, 2, 3, 4, 5, 6, 7, 12])
    display = np.empty(len(genre), dtype=np.int64)
    month = np.maximum(calendar.month_of_day(day), 0)
    train = np.flatnonzero(~is_test)
    counts = np.zeros((len(published.MONTH_DISPLAY_MEAN), len(base)))
    np.add.at(counts, (month[train], genre[train]), 1)
    chances = np.cumsum(_display_table(base, counts, lengths), axis=2)
    level = rng.random(len(train))
    drawn = (chances[month[train], genre[train]] < level[:, None]).sum(axis=1)
    display[train] = lengths[np.minimum(drawn, len(lengths) - 1)]
    members = np.flatnonzero(is_test)
    days = np.array(list(published.TEST_DISPLAY_DAYS))
    drawn = days[
        draw_quota(rng, list(published.TEST_DISPLAY_DAYS.values()), len(members))
    ]
    # Longer displays go to the genres that have them.
    lean = base[genre[members]] @ lengths + rng.normal(0, 1.0, len(members))
    display[members[np.argsort(lean, kind="stable")]] = np.sort(drawn)
    long = display == 12
    display[long] = rng.integers(8, 15, int(long.sum()))
    return np.maximum(display, 1)


def _display_table(
    base: np.ndarray, counts: np.ndarray, lengths: np.ndarray
) -> np.ndarray:
    """Shares of display days by month and genre, shape (months, genres, lengths).

    Fits three published margins at once: each genre's mix over the year, each
    month's mean, each month's share of seven days and more.
    """
    mean = np.array(published.MONTH_DISPLAY_MEAN)
    long_share = np.array(published.MONTH_LONG_SHARE)
    is_long = lengths >= 7
    weight = counts[:, :, None]
    share = np.tile(base, (len(counts), 1, 1))
    total = np.maximum(counts.sum(axis=1), 1e-9)
    for _ in range(60):
        month_mix = (share * weight).sum(axis=1) / total[:, None]
        now = month_mix @ lengths
        spread = month_mix @ lengths**2 - now**2
        step = np.clip((mean - now) / np.maximum(spread, 0.2), -0.5, 0.5)
        share = share * np.exp(step[:, None, None] * lengths)
        now = np.maximum(month_mix[:, is_long].sum(axis=1), 1e-6)
        ratio = np.clip(long_share / now, 0.3, 3.0)
        share[:, :, is_long] *= ratio[:, None, None]
        share /= np.maximum(share.sum(axis=2, keepdims=True), 1e-30)
        year_mix = (share * weight).sum(axis=0)
        year_mix /= np.maximum(year_mix.sum(axis=1, keepdims=True), 1e-30)
        share = share * (base / np.maximum(year_mix, 1e-30))[None, :, :]
        share /= np.maximum(share.sum(axis=2, keepdims=True), 1e-30)
    return share


def _without_validity(
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
        result[among] = _fill_share(rng, sizes[among], share)
    return result


def _validity(
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


def _campaigns(
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
        launch(other, date, 5, 90, catalog, 100, newcomer=6.0)
    _test_campaigns(coupons, other, gift, size)


def _test_campaigns(coupons: Coupons, other: int, gift: int, size: float) -> None:
    """The test list has one new-member coupon and one cheap gift card."""
    for genre, catalog, hour, days, buyers, pull in (
        (other, 2000, 12, 5, 60, 6.0),
        (gift, 500, 15, 13, 120, 0.6),
    ):
        members = np.flatnonzero(coupons.is_test & (coupons.genre == genre))
        if len(members) == 0:
            continue
        chosen = members[0]
        day = calendar.day_number("2012-06-28")
        coupons.sale_start[chosen] = day * DAY_SECONDS + hour * 3600
        coupons.sale_end[chosen] = (day + days) * DAY_SECONDS + NOON
        coupons.display_days[chosen] = days
        coupons.catalog_price[chosen] = catalog
        coupons.discount_price[chosen] = 100
        coupons.campaign[chosen] = max(buyers * size, 1.0)
        coupons.newcomer_pull[chosen] = pull
