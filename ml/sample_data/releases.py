"""When coupons are released, of which genre, by which shop, and for how long."""

from __future__ import annotations

import numpy as np

from ml.sample_data import calendar, published
from ml.sample_data.names import Names
from ml.sample_data.streams import draw_quota, even_by_group, even_levels, quota
from ml.sample_data.year import PUBLISHED, Year

# How much longer lives of shops are than the year lets one see.
REISSUE_LEVEL = 1.0
# Share of the test list whose shops are in the train list. Some offers of other
# shops look the same: with them the published share of 46 % is reached.
TEST_REISSUED = 0.405


def releases(
    rng: np.random.Generator, names: Names, scale: float, year: Year = PUBLISHED
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Release days in order, list membership, and genres."""
    n_train = max(60, round(published.TRAIN_COUPONS * scale))
    n_test = max(20, round(year.test_coupons * scale))
    early = max(2, round(published.FIRST_WEEK_NO_AREA * scale))
    per_week = quota(year.week_coupons, n_train)
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
    days.append(calendar.TEST_DAY + draw_quota(rng, year.test_weekdays, n_test))
    day = np.concatenate(days)
    order = np.lexsort((rng.random(len(day)), day))
    day = day[order]
    is_test = day >= calendar.TEST_DAY

    total = published.genre_array(published.GENRE_COUPONS, names.genres)
    in_test = published.genre_array(year.test_genres, names.genres)
    weekly = genre_by_week(names, total, per_week, year)
    genre = np.empty(len(day), dtype=np.int64)
    week = day // 7
    counts = round_table(weekly, quota(total, n_train), per_week)
    tuesday = published.genre_array(published.GENRE_TUESDAY, names.genres)
    for number in range(calendar.N_TRAIN_WEEKS):
        members = np.flatnonzero(week == number)
        drawn = np.repeat(np.arange(len(total)), counts[number])
        rng.shuffle(drawn)
        genre[members] = tuesdays(rng, drawn, day[members] % 7 == 2, tuesday)
    members = np.flatnonzero(is_test)
    genre[members] = draw_quota(rng, in_test, len(members))
    return day, is_test, genre


def tuesdays(
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


def genre_by_week(
    names: Names, total: np.ndarray, per_week: np.ndarray, year: Year = PUBLISHED
) -> np.ndarray:
    """Fit coupons per week and genre to monthly shares and both totals."""
    month = calendar.month_of_day(np.arange(len(per_week)) * 7 + 3)
    shares = np.tile(total / total.sum(), (len(per_week), 1))
    for genre, by_month in year.month_genre_share.items():
        shares[:, names.genres.index(genre)] = np.array(by_month)[month]
    named = [names.genres.index(g) for g in year.month_genre_share]
    rest = np.setdiff1d(np.arange(len(total)), named)
    left = 1 - shares[:, named].sum(axis=1, keepdims=True)
    shares[:, rest] *= left / shares[:, rest].sum(axis=1, keepdims=True)
    table = shares * per_week[:, None]
    target = total / total.sum() * per_week.sum()
    for _ in range(50):
        table *= target / np.maximum(table.sum(axis=0), 1e-12)
        table *= (per_week / np.maximum(table.sum(axis=1), 1e-12))[:, None]
    return table


def round_table(
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


def shops(
    rng: np.random.Generator,
    names: Names,
    genre: np.ndarray,
    day: np.ndarray,
    is_test: np.ndarray,
) -> np.ndarray:
    """Give each coupon the number of its shop; some shops issue an offer again.

    Shops issue once, or twice and more with a geometric tail, some weeks apart. Their
    lives reach beyond the year at both ends; what lies inside is put into the slots
    of the genre in order of time. How many shops of the test list issued before is a
    quota by genre.
    """
    reissued = published.genre_array(published.GENRE_REISSUED, names.genres)
    in_test = np.bincount(genre[is_test], minlength=len(reissued))
    wanted = quota(reissued * in_test, round(TEST_REISSUED * int(is_test.sum())))
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
        size = _reissues(rng, m, share)
        size = np.where(
            (size > 1) & (rng.random(m) < 0.02), size + rng.integers(5, 40, m), size
        )
        owner = np.repeat(np.arange(m), size)
        start = np.empty(m)
        for members in (np.flatnonzero(size == 1), np.flatnonzero(size > 1)):
            start[members] = even_levels(rng, np.ones(len(members))) * 1000 - 630
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
        ranked = settle_reissues(ranked, n - int(in_test[number]), int(wanted[number]))
        shop[slots] = first + ranked
        first += int(ranked.max()) + 1
    _, shop = np.unique(shop, return_inverse=True)
    return shop


def settle_reissues(shop: np.ndarray, n_train: int, wanted: int) -> np.ndarray:
    """Exchange shops around the end of the train list until the quota is met.

    Parameters
    ----------
    shop
        Shop of each coupon of a genre, in order of release.
    n_train
        Coupons of the train list; the test list follows.
    wanted
        Coupons of the test list whose shops are to be in the train list as well.

    Returns
    -------
    numpy.ndarray
        The same shops with the quota met, or as near to it as exchanges lead.
    """
    shop = shop.copy()
    train, test = shop[:n_train], shop[n_train:]
    for _ in range(len(test)):
        is_old = np.isin(test, train)
        missing = wanted - int(is_old.sum())
        issues = np.bincount(train, minlength=int(shop.max()) + 1)
        in_test = np.bincount(test, minlength=len(issues))
        if missing > 0:
            # A new shop comes earlier; one that has issued before issues again.
            leave = np.flatnonzero(~is_old & (in_test[test] == 1))
            come = np.flatnonzero(issues[train] > 1)
        else:
            leave = np.flatnonzero(is_old)
            come = np.flatnonzero((issues[train] == 1) & (in_test[train] == 0))
        if missing == 0 or len(leave) == 0 or len(come) == 0:
            break
        train[come[-1]], test[leave[0]] = test[leave[0]], train[come[-1]]
    return shop


def _reissues(rng: np.random.Generator, n: int, share: float) -> np.ndarray:
    """Issues per shop: one, or with chance ``share`` two and more (geometric)."""
    level = even_levels(rng, np.ones(n))
    tail = np.log1p(-np.minimum(level / share, 1 - 1e-9)) / np.log(1 - 1 / 2.2)
    return np.where(level < share, 2 + np.floor(tail), 1).astype(np.int64)


def display_days(
    rng: np.random.Generator,
    names: Names,
    genre: np.ndarray,
    day: np.ndarray,
    is_test: np.ndarray,
    year: Year = PUBLISHED,
) -> np.ndarray:
    """Days on display: the genre's mix, fitted to the month's mean and long share."""
    base = np.array([published.DISPLAY_DAYS[slug] for slug in names.genres], float)
    base = base / base.sum(axis=1, keepdims=True)
    lengths = np.array([0, 1, 2, 3, 4, 5, 6, 7, 12])
    display = np.empty(len(genre), dtype=np.int64)
    month = np.maximum(calendar.month_of_day(day), 0)
    like_others = ~is_test if year.test_display_days else np.ones_like(is_test)
    train = np.flatnonzero(like_others)
    counts = np.zeros((len(year.month_display_mean), len(base)))
    np.add.at(counts, (month[train], genre[train]), 1)
    chances = np.cumsum(display_table(base, counts, lengths, year), axis=2)
    level = even_by_group(rng, month[train] * len(base) + genre[train])
    drawn = (chances[month[train], genre[train]] < level[:, None]).sum(axis=1)
    display[train] = lengths[np.minimum(drawn, len(lengths) - 1)]
    if year.test_display_days:
        members = np.flatnonzero(is_test)
        days = np.array(list(year.test_display_days))
        drawn = days[
            draw_quota(rng, list(year.test_display_days.values()), len(members))
        ]
        # Longer displays go to the genres that have them.
        lean = base[genre[members]] @ lengths + rng.normal(0, 1.0, len(members))
        display[members[np.argsort(lean, kind="stable")]] = np.sort(drawn)
    long = display == 12
    display[long] = rng.integers(8, 15, int(long.sum()))
    return np.maximum(display, 1)


def display_table(
    base: np.ndarray,
    counts: np.ndarray,
    lengths: np.ndarray,
    year: Year = PUBLISHED,
) -> np.ndarray:
    """Shares of display days by month and genre, shape (months, genres, lengths).

    Fits three published margins at once: each genre's mix over the year, each
    month's mean, each month's share of seven days and more.
    """
    mean = np.array(year.month_display_mean)
    long_share = np.array(year.month_long_share)
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
