"""How far a ranking by popularity beats chance."""

from __future__ import annotations

import duckdb
import numpy as np


def rank(con: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """Measure MAP@10 of popularity over that of chance, for new coupons of a week.

    Hits are views and purchases in that week; users are those with a hit. A coupon's
    popularity is the mean of earlier coupons of its genre, price band and large area.
    One week hangs on its largest coupon, so this is the median of the last twelve.
    """
    rng = np.random.default_rng(0)
    ratios = []
    for week in range(40, 52):
        user, place, n_all = _hits(con, week)
        if len(user) == 0:
            continue
        chance = np.mean(
            [_mean_ap(user, _random_places(rng, user, n_all)) for _ in range(5)]
        )
        ratios.append(_mean_ap(user, place) / max(chance, 1e-9))
    name = "MAP@10 of popularity over random (week, views and purchases)"
    return {name: float(np.median(ratios))} if ratios else {}


def _hits(
    con: duckdb.DuckDBPyConnection, week: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Users and places in the popularity list of what they met, and its length."""
    rows = con.execute(
        """
        with target as (select * from coupons where w = $week and not is_test),
        past as (
            select coupons.*, coalesce(count(p), 0) as n
            from coupons left join purchases
                on purchases.c = coupons.c and purchases.w < $week
            where coupons.w < $week group by all
        ),
        by_kind as (
            select genre, large_area, (ln(greatest(discount, 50)) * 2)::int as band,
                avg(n) as n
            from past group by all
        ),
        scored as (
            select target.c, coalesce(by_kind.n, 0) as score
            from target left join by_kind on by_kind.genre = target.genre
                and by_kind.large_area = target.large_area
                and by_kind.band = (ln(greatest(target.discount, 50)) * 2)::int
        ),
        ranked as (
            select c, row_number() over (order by score desc, c) as place,
                count(*) over () as n_all
            from scored
        ),
        hits as (
            select u, c from visits
            where date_diff('day', date '2011-06-26', moment::date) // 7 = $week
            union
            select u, c from purchases where w = $week
        )
        select u, place, n_all from hits inner join ranked using (c) order by u, place
        """,
        {"week": week},
    ).fetchnumpy()
    n_all = int(rows["n_all"][0]) if len(rows["u"]) else 0
    return rows["u"], rows["place"].astype(float), n_all


def _random_places(
    rng: np.random.Generator, user: np.ndarray, n_all: int
) -> np.ndarray:
    """Random places without repetition inside a user."""
    place = np.empty(len(user))
    starts = np.flatnonzero(np.diff(user, prepend=user[0] - 1))
    for start, end in zip(starts, [*starts[1:], len(user)], strict=True):
        place[start:end] = np.sort(rng.permutation(n_all)[: end - start] + 1)
    return place


def _mean_ap(user: np.ndarray, place: np.ndarray) -> float:
    """Mean AP@10 over users; rows sorted by user and place."""
    starts = np.flatnonzero(np.diff(user, prepend=user[0] - 1))
    sizes = np.diff(np.append(starts, len(user)))
    order = np.arange(len(user)) - np.repeat(starts, sizes) + 1
    gain = np.where(place <= 10, order / place, 0.0)
    total = np.add.reduceat(gain, starts)
    return float((total / np.minimum(sizes, 10)).mean())
