"""Where purchases are made: home, shop, receipt."""

from __future__ import annotations

import duckdb

from ml.calibration.query import named_values


def place(con: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """Measure places of purchases, and the odds of the own prefecture."""
    con.execute("""
        create or replace temp table placed as
        select purchases.*, users.pref as home, coupons.pref as shop,
            coupons.small_area as shop_area, coupons.large_area, coupons.genre,
            coupons.w as release_week
        from purchases inner join users using (u) inner join coupons using (c)
    """)
    return _places(con) | _odds(con)


def _places(con: duckdb.DuckDBPyConnection) -> dict[str, float]:
    return named_values(
        con,
        """
        with by_user as (
            select u, count(distinct small_area) as n_areas,
                count(distinct area_pref) as n_prefs
            from purchases group by all
        )
        select 'purchases in the own prefecture', 100.0 * avg((home = shop)::int)
            from placed where home is not null
        union all select 'purchases in the own prefecture: ' || genre,
            100.0 * avg((home = shop)::int) from placed where home is not null
            group by genre
        union all select 'purchases by large area: ' || case when large_area in
            ('kanto', 'kansai', 'kyushu', 'tokai', 'hokkaido', 'tohoku')
            then large_area else 'other areas' end,
            100.0 * count(*) / (select count(*) from placed) from placed group by 1
        union all select 'purchases where SMALL_AREA_NAME is the shop''s',
            100.0 * avg((small_area = shop_area)::int) from placed
        union all select 'small areas per buyer', avg(n_areas) from by_user
        union all select 'prefectures per buyer', avg(n_prefs) from by_user
        union all select 'most prefectures of one buyer', max(n_prefs) from by_user
        union all select 'buyers: ' || coalesce(home, 'not registered'),
            count(distinct u) from placed group by home
        union all select 'purchases of users: ' || coalesce(home, 'not registered'),
            count(*) from placed group by home
    """,
    )


def _odds(con: duckdb.DuckDBPyConnection) -> dict[str, float]:
    # Candidates: coupons of a week x users who bought one of that week's coupons.
    return named_values(
        con,
        """
        with pairs as (
            select distinct u, c, genre, release_week, home, shop
            from placed where home is not null
        ),
        active as (select distinct u, release_week, home from pairs),
        weekly as (
            select w, genre, pref, count(*) as n from coupons where not is_test
            group by all
        ),
        offered as (
            select weekly.genre, sum(n) as n_all,
                sum(n) filter (where weekly.pref = active.home) as n_same
            from active inner join weekly on weekly.w = active.release_week
            group by all
        ),
        taken as (
            select genre, count(*) as n_all,
                count(*) filter (where home = shop) as n_same
            from pairs group by all
        )
        select 'odds of the own prefecture: ' || genre,
            (taken.n_same / offered.n_same)
            / ((taken.n_all - taken.n_same) / (offered.n_all - offered.n_same))
        from taken inner join offered using (genre)
    """,
    )
