"""Page views: how many, of what, and what follows from them."""

from __future__ import annotations

import duckdb

from ml.calibration.query import named_values


def views(con: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """Measure page views, and chances to buy after views and after purchases."""
    return _counts(con) | _after_views(con) | _after_purchases(con)


def _counts(con: duckdb.DuckDBPyConnection) -> dict[str, float]:
    return named_values(
        con,
        """
        with ids as (
            select p, count(*) as n from visits where p is not null group by all
        ),
        pairs as (
            select bought.n as n_bought, viewed.n, viewed.n_flagged
            from bought left join viewed using (u, c)
        ),
        seen as (
            select viewed.*, bought.u is not null as is_bought
            from viewed left join bought using (u, c)
            inner join coupons on coupons.c = viewed.c and not is_test
        )
        select 'visits per purchase', (select count(*) from visits)
            / (select count(*) from purchases)
        union all select 'visits with the purchase flag',
            100.0 * avg(is_flagged::int) from visits
        union all select 'purchases with no flagged visit', 100.0 * (1 -
            (select count(*) from ids) / (select count(*) from purchases))
        union all select 'flagged purchase ids on several visit rows',
            100.0 * avg((n > 1)::int) from ids
        union all select 'bought pairs that were viewed',
            100.0 * avg((n is not null)::int) from pairs
        union all select 'viewed listed pairs with a flagged purchase',
            100.0 * avg((n_flagged > 0)::int) from seen
        union all select 'viewed, not bought pairs with views: ' || case when n < 5
            then n::varchar else '5 and more' end, 100.0 * count(*) /
            (select count(*) from seen where not is_bought)
            from seen where not is_bought group by 1
        union all select 'views per viewed bought pair', avg(n) from pairs
            where n is not null
        union all select 'unflagged views per viewed bought pair', avg(n - n_flagged)
            from pairs where n is not null
        union all select 'PAGE_SERIAL, p05', quantile_disc(serial, 0.05) from visits
        union all select 'PAGE_SERIAL, p25', quantile_disc(serial, 0.25) from visits
        union all select 'PAGE_SERIAL, median', quantile_disc(serial, 0.5) from visits
        union all select 'PAGE_SERIAL, p75', quantile_disc(serial, 0.75) from visits
        union all select 'PAGE_SERIAL, p95', quantile_disc(serial, 0.95) from visits
        union all select 'PAGE_SERIAL, maximum', max(serial) from visits
        union all select 'visits to unlisted coupons',
            100.0 * avg((c is null)::int) from visits
        union all select 'unlisted coupons viewed', count(distinct coupon_key)
            from visits where c is null
        union all select 'visits to test coupons', count(*)
            from visits inner join coupons using (c) where is_test
        union all select 'test coupons viewed', count(distinct c)
            from visits inner join coupons using (c) where is_test
    """,
    )


def _after_views(con: duckdb.DuckDBPyConnection) -> dict[str, float]:
    # Views count before the first purchase; all of them where nothing was bought.
    return named_values(
        con,
        """
        with before as (
            select visits.u, visits.c, count(*) as n, bool_or(bought.u is not null)
                as is_bought
            from visits left join bought using (u, c)
            inner join coupons on coupons.c = visits.c and not is_test
            where not is_flagged and (first_at is null or visits.moment < first_at)
            group by all
        )
        select 'P(buy) after views: ' || case when n < 4 then n::varchar
            else '4 and more' end, avg(is_bought::int) from before group by 1
    """,
    )


def _after_purchases(con: duckdb.DuckDBPyConnection) -> dict[str, float]:
    # Coupons in order of release; how many of the same kind did the user buy before?
    return named_values(
        con,
        """
        with kinds as (
            select c, genre || pref || catalog as kind, starts_at from coupons
            where not is_test
        ),
        own as (select distinct u, kind from bought inner join kinds using (c)),
        offers as (
            select own.u, kinds.c, kinds.kind, starts_at, bought.u is not null as b
            from own inner join kinds using (kind) left join bought using (u, c)
        ),
        counted as (
            select b, coalesce(sum(b::int) over (partition by u, kind
                order by starts_at, c rows between unbounded preceding
                and 1 preceding), 0) as n_before
            from offers
        )
        select 'P(buy) after purchases of the same prefecture, genre and price: '
            || case when n_before < 4 then n_before::int::varchar
            else '4 and more' end, avg(b::int)
        from counted where n_before > 0 group by 1
    """,
    )
