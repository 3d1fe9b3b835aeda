"""Measures a directory of raw files: one number for each calibration target.

Every measure is a query over the CSV files, with the definition that the published
figure has. Names equal the ``name`` column of ``docs/calibration-targets.csv``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np

from ml.sample_data import published
from ml.settings import PROJECT_DIR

Measures = dict[tuple[str, str], float]
FILES = (
    "user_list",
    "coupon_list_train",
    "coupon_list_test",
    "coupon_area_train",
    "coupon_area_test",
    "coupon_detail_train",
    "coupon_visit_train",
)
_SEEDS = PROJECT_DIR / "seeds"


def measure(
    directory: Path, say: Callable[[str], None] = lambda text: None
) -> Measures:
    """Measure all targets on the files in ``directory``.

    Parameters
    ----------
    directory
        A directory with the seven CSV files, unpacked.
    say
        Called with the name of each part before it is measured.

    Returns
    -------
    dict
        (group, name) to value. Targets that need models are not in it.

    Raises
    ------
    FileNotFoundError
        If one of the files is absent.
    """
    for name in FILES:
        if not (directory / f"{name}.csv").is_file():
            raise FileNotFoundError(f"{directory} has no {name}.csv")
    with duckdb.connect(":memory:") as con:
        say("reading the files")
        _load(con, directory)
        measures: Measures = {}
        for part in (
            _volume,
            _per_user,
            _per_coupon,
            _genre,
            _price,
            _place,
            _time,
            _views,
            _repeat,
            _week,
            _lists,
            _rank,
        ):
            say(part.__name__.removeprefix("_").replace("_", " "))
            part(con, measures)
    return measures


def _load(con: duckdb.DuckDBPyConnection, directory: Path) -> None:
    def read(name: str) -> str:
        path = str(directory / f"{name}.csv").replace("'", "''")
        return f"read_csv('{path}', header=true, all_varchar=true, nullstr='NA')"

    def seed(name: str) -> str:
        path = str(_SEEDS / f"{name}.csv").replace("'", "''")
        return f"read_csv('{path}', header=true, all_varchar=true)"

    con.execute(f"""
        create table users as
        select
            row_number() over (order by USER_ID_hash)::int as u,
            USER_ID_hash as user_hash, REG_DATE::timestamp as registered_at,
            SEX_ID as sex, AGE::int as age, WITHDRAW_DATE::timestamp as left_at,
            nullif(PREF_NAME, '') as pref_ja, s.prefecture as pref
        from {read("user_list")} as f
        left join {seed("prefectures")} as s on s.prefecture_ja = f.PREF_NAME
    """)
    lists = " union all by name ".join(
        f"select *, {flag} as is_test from {read(name)}"
        for name, flag in (("coupon_list_train", "false"), ("coupon_list_test", "true"))
    )
    con.execute(f"""
        create table coupons as
        select
            row_number() over (order by COUPON_ID_hash)::int as c,
            COUPON_ID_hash as coupon_hash, is_test, g.genre, CAPSULE_TEXT as capsule,
            PRICE_RATE::int as rate, CATALOG_PRICE::int as catalog,
            DISCOUNT_PRICE::int as discount, DISPFROM::timestamp as starts_at,
            DISPEND::timestamp as ends_at, DISPPERIOD::int as display,
            VALIDFROM::date as valid_from, VALIDPERIOD::int as valid_period,
            p.prefecture as pref, p.large_area, a.small_area,
            (date_diff('day', date '2011-06-26', DISPFROM::date) // 7)::int as w,
            {", ".join(_usable_columns())}
        from ({lists}) as f
        left join {seed("genres")} as g on g.genre_ja = f.GENRE_NAME
        left join {seed("prefectures")} as p on p.prefecture_ja = f.ken_name
        left join {seed("small_areas")} as a on a.small_area_ja = f.small_area_name
    """)
    con.execute(f"""
        create table areas as
        select c.c, c.is_test, c.genre
        from (select * from {read("coupon_area_train")}
              union all select * from {read("coupon_area_test")}) as f
        inner join coupons as c on c.coupon_hash = f.COUPON_ID_hash
    """)
    con.execute(f"""
        create table purchases as
        select
            row_number() over (order by PURCHASEID_hash)::int as p,
            u.u, c.c, f.ITEM_COUNT::int as items, f.I_DATE::timestamp as moment,
            a.small_area, a.prefecture as area_pref, PURCHASEID_hash as purchase_hash,
            (date_diff('day', date '2011-06-26', f.I_DATE::timestamp::date) // 7)::int
                as w
        from {read("coupon_detail_train")} as f
        inner join users as u on u.user_hash = f.USER_ID_hash
        inner join coupons as c on c.coupon_hash = f.COUPON_ID_hash
        left join {seed("small_areas")} as a on a.small_area_ja = f.SMALL_AREA_NAME
    """)
    con.execute(f"""
        create table visits as
        select
            u.u, c.c, hash(f.VIEW_COUPON_ID_hash) as coupon_key,
            f.I_DATE::timestamp as moment, f.PAGE_SERIAL::int as serial,
            f.PURCHASE_FLG = '1' as is_flagged, hash(f.REFERRER_hash) as referrer,
            hash(f.SESSION_ID_hash) as session_key, p.p
        from {read("coupon_visit_train")} as f
        inner join users as u on u.user_hash = f.USER_ID_hash
        left join coupons as c on c.coupon_hash = f.VIEW_COUPON_ID_hash
        left join purchases as p on p.purchase_hash = f.PURCHASEID_hash
    """)
    con.execute("""
        create table bought as
        select u, c, count(*) as n, min(moment) as first_at from purchases group by all;
        create table viewed as
        select u, c, count(*) as n, count(*) filter (where is_flagged) as n_flagged
        from visits where c is not null group by all;
        create table flagged as
        select c, count(*) as n from visits where is_flagged and c is not null
        group by all;
    """)


def _usable_columns() -> list[str]:
    days = (
        "MON",
        "TUE",
        "WED",
        "THU",
        "FRI",
        "SAT",
        "SUN",
        "HOLIDAY",
        "BEFORE_HOLIDAY",
    )
    return [f"USABLE_DATE_{day}::int as usable_{day.lower()}" for day in days]


def _one(con: duckdb.DuckDBPyConnection, query: str) -> float:
    value = con.execute(query).fetchone()[0]
    return float("nan") if value is None else float(value)


def _pairs(con: duckdb.DuckDBPyConnection, query: str) -> dict[str, float]:
    return {
        str(name): float("nan") if value is None else float(value)
        for name, value in con.execute(query).fetchall()
    }


def _put(
    measures: Measures, group: str, values: dict[str, float], head: str = ""
) -> None:
    for name, value in values.items():
        measures[group, head + name] = value


def _volume(con: duckdb.DuckDBPyConnection, out: Measures) -> None:
    _put(
        out,
        "volume",
        _pairs(
            con,
            """
        with bought as (select distinct u from purchases),
        seen as (select distinct u from visits),
        each_user as (
            select users.u, bought.u is not null as b, seen.u is not null as v
            from users left join bought using (u) left join seen using (u)
        ),
        share as (
            select referrer, 100.0 * count(*) / sum(count(*)) over () as percent,
                row_number() over (order by count(*) desc, referrer) as place
            from visits group by referrer
        )
        select 'users', count(*) from users
        union all select 'coupons, train list', count(*) from coupons where not is_test
        union all select 'coupons, test list', count(*) from coupons where is_test
        union all select 'area rows, train list', count(*) from areas where not is_test
        union all select 'area rows, test list', count(*) from areas where is_test
        union all select 'purchases', count(*) from purchases
        union all select 'visits', count(*) from visits
        union all select 'first day of the log',
            strftime(least((select min(moment) from visits),
                (select min(moment) from purchases)), '%Y%m%d')::int
        union all select 'last day of the log',
            strftime(greatest((select max(moment) from visits),
                (select max(moment) from purchases)), '%Y%m%d')::int
        union all select 'first day of the test list',
            strftime(min(starts_at), '%Y%m%d')::int from coupons where is_test
        union all select 'last day of the test list',
            strftime(max(starts_at), '%Y%m%d')::int from coupons where is_test
        union all select 'users who bought', 100.0 * avg(b::int) from each_user
        union all select 'users who viewed', 100.0 * avg(v::int) from each_user
        union all select 'users doing nothing',
            count(*) filter (where not b and not v) from each_user
        union all select 'users who bought and never viewed',
            count(*) filter (where b and not v) from each_user
        union all select 'users who viewed and never bought',
            count(*) filter (where v and not b) from each_user
        union all select 'sessions', count(distinct session_key) from visits
        union all select 'sessions per viewer',
            count(distinct session_key) / count(distinct u) from visits
        union all select 'visits per session',
            count(*) / count(distinct session_key) from visits
        union all select 'referrers', count(distinct referrer) from visits
        union all select 'visits by referrer ' || place, percent
            from share where place <= 5
    """,
        ),
    )


def _per_user(con: duckdb.DuckDBPyConnection, out: Measures) -> None:
    _put(
        out,
        "purchases per user",
        _pairs(
            con,
            """
        with each_user as (
            select users.*, coalesce(count(p), 0) as n,
                count(distinct purchases.c) as n_coupons
            from users left join purchases using (u) group by all
        ),
        ranked as (
            select n, row_number() over (order by n desc, u) as place from each_user
        )
        select 'mean per buyer', avg(n) from each_user where n > 0
        union all select 'distinct coupons per buyer', avg(n_coupons)
            from each_user where n > 0
        union all select 'buyer ' || place || ' by purchases', n
            from ranked where place <= 5
        union all select 'most by one user in one week', max(n) from
            (select count(*) as n from purchases group by u, w)
        union all select 'users with 30 distinct coupons or more',
            100.0 * avg((n_coupons >= 30)::int) from each_user
        union all select 'median per buyer', quantile_cont(n, 0.5)
            from each_user where n > 0
        union all select '90th percentile per buyer', quantile_cont(n, 0.9)
            from each_user where n > 0
        union all select '99th percentile per buyer', quantile_cont(n, 0.99)
            from each_user where n > 0
        union all select case when pref is null then 'buyers without prefecture, mean'
            else 'buyers with prefecture, mean' end, avg(n)
            from each_user where n > 0 group by pref is null
        union all select 'users aged ' || case when age <= 30 then '15-30'
            when age <= 40 then '31-40' when age <= 50 then '41-50'
            when age <= 60 then '51-60' else '61-80' end || ', mean', avg(n)
            from each_user group by 1
    """,
        ),
    )


def _per_coupon(con: duckdb.DuckDBPyConnection, out: Measures) -> None:
    _put(
        out,
        "purchases per coupon",
        _pairs(
            con,
            """
        with each_coupon as (
            select coupons.*, coalesce(count(p), 0) as n
            from coupons left join purchases using (c) where not is_test group by all
        ),
        ranked as (
            select n, row_number() over (order by n desc, c) as place from each_coupon
        ),
        by_flag as (
            select each_coupon.*, coalesce(flagged.n, 0) as f
            from each_coupon left join flagged using (c)
            where each_coupon.n > 0 and genre <> 'other'
        ),
        spot as (
            select * from by_flag
            where genre in ('delivery', 'food', 'leisure')
        )
        select 'mean', avg(n) from each_coupon where n > 0
        union all select 'coupon ' || place || ' by purchases', n
            from ranked where place <= 10 or place in (99, 150)
        union all select 'coupons with flagged purchases: ' || case when f = 0
            then 'none' when f < 10 then '1-9' else '10 and more' end
            || ' (without Other)', 100.0 * count(*) / (select count(*) from by_flag)
            from by_flag group by 1
        union all select '10 and more flagged, display days ' || case
            when display <= 1 then '0-1' when display = 2 then '2'
            when display = 3 then '3' else '4-7' end || ' (Delivery, Food, Leisure)',
            100.0 * avg((f >= 10)::int) from spot where display <= 7 group by 1
        union all select '10 and more flagged, price ' || case
            when discount <= 1476 then 'to 1476' when discount <= 2230 then 'to 2230'
            when discount <= 3240 then 'to 3240' else 'above 3240' end
            || ' yen (the same, display days 4-7)', 100.0 * avg((f >= 10)::int)
            from spot where display between 4 and 7 group by 1
        union all select 'listed coupons never bought',
            100.0 * avg((n = 0)::int) from each_coupon
    """,
        ),
    )


def _genre(con: duckdb.DuckDBPyConnection, out: Measures) -> None:
    group = "genre"
    _put(
        out,
        group,
        _pairs(
            con,
            """
        select 'share of purchases: ' || genre,
            100.0 * count(*) / (select count(*) from purchases)
        from purchases inner join coupons using (c) group by genre
        union all
        select 'purchases per coupon: ' || genre,
            count(p) / count(distinct case when not is_test then c end)
        from coupons left join purchases using (c) group by genre
        union all
        select 'share of coupons: ' || genre,
            100.0 * count(*) / (select count(*) from coupons where not is_test)
        from coupons where not is_test group by genre
        union all
        select 'female share of purchases: ' || genre, 100.0 * avg((sex = 'f')::int)
        from purchases inner join coupons using (c) inner join users using (u)
        group by genre
        union all
        select 'female share of all purchases', 100.0 * avg((sex = 'f')::int)
        from purchases inner join users using (u)
        union all
        select 'mean views per flagged purchase: ' || genre, avg(v.n / flagged.n)
        from flagged
        inner join (select c, sum(n) as n from viewed group by all) as v using (c)
        inner join coupons using (c)
        group by genre
    """,
        ),
    )


def _price(con: duckdb.DuckDBPyConnection, out: Measures) -> None:
    _put(
        out,
        "price",
        _pairs(
            con,
            """
        with paid as (
            select rate, discount from purchases inner join coupons using (c)
        ),
        listed as (select * from coupons where not is_test and discount > 0)
        select 'PRICE_RATE of purchases, p25', quantile_cont(rate, 0.25) from paid
        union all select 'PRICE_RATE of purchases, median',
            quantile_cont(rate, 0.5) from paid
        union all select 'PRICE_RATE of purchases, mean', avg(rate) from paid
        union all select 'PRICE_RATE of purchases, p75',
            quantile_cont(rate, 0.75) from paid
        union all select 'free coupons', count(*) from coupons
            where discount = 0 and not is_test
        union all select 'purchases of free coupons',
            100.0 * avg((discount = 0)::int) from paid
        union all select 'ln discount price, mean: ' || genre, avg(ln(discount))
            from listed group by genre
        union all select 'ln discount price, sd: ' || genre, stddev(ln(discount))
            from listed group by genre
        union all select 'ln catalog price, mean: ' || genre, avg(ln(catalog))
            from listed group by genre
        union all select 'ln catalog price, sd: ' || genre, stddev(ln(catalog))
            from listed group by genre
    """,
        ),
    )


def _place(con: duckdb.DuckDBPyConnection, out: Measures) -> None:
    con.execute("""
        create or replace temp table placed as
        select purchases.*, users.pref as home, coupons.pref as shop,
            coupons.small_area as shop_area, coupons.large_area, coupons.genre,
            coupons.w as release_week
        from purchases inner join users using (u) inner join coupons using (c)
    """)
    values = _pairs(
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
    _put(out, "place", values)
    # Candidates: coupons of a week x users who bought one of that week's coupons.
    _put(
        out,
        "place",
        _pairs(
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
        ),
    )


def _time(con: duckdb.DuckDBPyConnection, out: Measures) -> None:
    group = "time"
    _put(
        out,
        group,
        _pairs(
            con,
            """
        with paid as (
            select purchases.moment, display, starts_at, ends_at, valid_from
            from purchases inner join coupons using (c)
        )
        select 'purchases in ' || strftime(moment, '%Y-%m'), count(*) from purchases
            group by 1
        union all select 'purchases on ' || dayname(moment),
            100.0 * count(*) / (select count(*) from purchases)
            from purchases group by 1
        union all select 'purchases on 2012-06-04',
            count(*) filter (where moment::date = date '2012-06-04') from purchases
        union all select 'DISPPERIOD of purchases, p25',
            quantile_cont(display, 0.25) from paid
        union all select 'DISPPERIOD of purchases, median',
            quantile_cont(display, 0.5) from paid
        union all select 'DISPPERIOD of purchases, mean', avg(display) from paid
        union all select 'DISPPERIOD of purchases, p75',
            quantile_cont(display, 0.75) from paid
        union all select 'purchases within 3 days of DISPFROM',
            100.0 * avg((moment <= starts_at + interval 3 day)::int) from paid
        union all select 'purchases within 4 days of DISPFROM',
            100.0 * avg((moment <= starts_at + interval 4 day)::int) from paid
        union all select 'purchases outside (DISPFROM, DISPEND]',
            count(*) filter (where moment <= starts_at or moment > ends_at) from paid
        union all select 'purchases before VALIDFROM',
            100.0 * avg((moment::date < valid_from)::int) from paid
            where valid_from is not null
        union all select 'visits before the day of DISPFROM',
            100.0 * avg((moment::date < starts_at::date)::int)
            from visits inner join coupons using (c)
    """,
        ),
    )
    proxy = np.array(published.REGISTRATION_HOURS) / sum(published.REGISTRATION_HOURS)
    for table in ("purchases", "visits"):
        hours = np.zeros(24)
        for hour, n in con.execute(
            f"select hour(moment), count(*) from {table} group by all"
        ).fetchall():
            hours[hour] = n
        away = 50 * np.abs(hours / max(hours.sum(), 1) - proxy).sum()
        out[group, f"hours of {table} away from those of registrations"] = float(away)


def _views(con: duckdb.DuckDBPyConnection, out: Measures) -> None:
    group = "views"
    _put(
        out,
        group,
        _pairs(
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
        ),
    )
    # Views count before the first purchase; all of them where nothing was bought.
    _put(
        out,
        group,
        _pairs(
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
        ),
    )
    # Coupons in order of release; how many of the same kind did the user buy before?
    _put(
        out,
        group,
        _pairs(
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
        ),
    )


def _repeat(con: duckdb.DuckDBPyConnection, out: Measures) -> None:
    _put(
        out,
        "repeat",
        _pairs(
            con,
            """
        with keys as (
            select c, is_test, catalog || '|' || discount || '|' || small_area || '|'
                || capsule as k
            from coupons
        )
        select 'purchases that repeat a pair', 100.0 * (1 -
            (select count(*) from bought) / (select count(*) from purchases))
        union all select 'coupons per key', count(*) / count(distinct k) from keys
            where not is_test
        union all select 'test coupons whose key is in the train list',
            100.0 * avg((k in (select k from keys where not is_test))::int)
            from keys where is_test
        union all select 'items per purchase: ' || case when genre in
            ('food', 'leisure', 'hotel', 'delivery') then genre else 'other genres'
            end, avg(items)
            from purchases inner join coupons using (c) group by 1
    """,
        ),
    )


def _week(con: duckdb.DuckDBPyConnection, out: Measures) -> None:
    _put(
        out,
        "week",
        _pairs(
            con,
            """
        with known as (
            select u from users where registered_at < timestamp '2012-06-10'
        ),
        log as (select u, moment from visits union all select u, moment from purchases),
        by_week as (
            select w, u, count(distinct c) as n from purchases where w >= 1 group by all
        )
        select 'known users active in 2012-06-10..16', 100.0 * count(distinct u)
            / (select count(*) from known)
            from log where moment >= timestamp '2012-06-10'
            and moment < timestamp '2012-06-17' and u in (select u from known)
        union all select 'users buying in a week',
            100.0 * count(*) / 51 / (select count(*) from users) from by_week
        union all select 'distinct coupons per buyer and week', avg(n) from by_week
        union all select 'users with no purchase before the test week',
            (select count(*) from users) - count(distinct u) from purchases
    """,
        ),
    )


def _lists(con: duckdb.DuckDBPyConnection, out: Measures) -> None:
    group = "lists"
    _put(
        out,
        group,
        _pairs(
            con,
            """
        with train as (select * from coupons where not is_test),
        listed as (select c, genre, count(*) as n from areas where not is_test
            group by all),
        weeks as (
            select w, count(*) as n from train where w between 1 and 51 group by all
        )
        select 'coupons without usable days',
            100.0 * avg((usable_mon is null)::int) from train
        union all select 'coupons without validity',
            100.0 * avg((valid_period is null)::int) from train
        union all select 'without usable days: ' || genre,
            100.0 * avg((usable_mon is null)::int) from train group by genre
        union all select 'without validity: ' || genre,
            100.0 * avg((valid_period is null)::int) from train group by genre
        union all select 'area rows per coupon, mean', avg(n) from listed
        union all select 'area rows per coupon, median', quantile_disc(n, 0.5)
            from listed
        union all select 'area rows per coupon, p75', quantile_disc(n, 0.75) from listed
        union all select 'area rows per coupon, p95', quantile_disc(n, 0.95) from listed
        union all select 'area rows per coupon, maximum', max(n) from listed
        union all select 'area rows per coupon, mean: ' || genre, avg(n) from listed
            group by genre
        union all select 'coupons per full week, mean', avg(n) from weeks
        union all select 'coupons per full week, sd', stddev(n) from weeks
        union all select 'coupons per full week, least', min(n) from weeks
        union all select 'coupons per full week, most', max(n) from weeks
        union all select 'DISPPERIOD mean of ' || strftime(starts_at, '%Y-%m'),
            avg(display) from train where starts_at >= timestamp '2011-07-01' group by 1
        union all select 'users without prefecture',
            100.0 * avg((pref is null)::int) from users
        union all select 'users without prefecture, registered before 2011-06',
            100.0 * avg((pref is null)::int) from users
            where registered_at < timestamp '2011-06-01'
        union all select 'users without prefecture, registered from 2011-07',
            100.0 * avg((pref is null)::int) from users
            where registered_at >= timestamp '2011-07-01'
        union all select 'users who left', 100.0 * avg((left_at is not null)::int)
            from users
        union all select 'log rows of users who left',
            100.0 * avg((left_at is not null)::int)
            from (select u from visits union all
                select u from purchases where p not in
                    (select p from visits where p is not null))
            inner join users using (u)
        union all select 'female users', 100.0 * avg((sex = 'f')::int) from users
        union all select 'age, mean', avg(age) from users
        union all select 'age, sd', stddev(age) from users
        union all select 'age, least', min(age) from users
        union all select 'age, most', max(age) from users
    """,
        ),
    )
    for column in _usable_columns():
        name = column.split("::")[0]
        alias = column.split(" as ")[1]
        for value in (0, 1, 2):
            out[group, f"{name} = {value}"] = _one(
                con,
                f"""
                select 100.0 * avg(({alias} = {value})::int) from coupons
                where not is_test and {alias} is not null
            """,
            )


def _rank(con: duckdb.DuckDBPyConnection, out: Measures) -> None:
    """MAP@10 of popularity over that of chance, for the new coupons of a week.

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
    if ratios:
        out["rank", "MAP@10 of popularity over random (week, views and purchases)"] = (
            float(np.median(ratios))
        )


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
