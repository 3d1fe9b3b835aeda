"""Reads a directory of raw files into tables in memory."""

from __future__ import annotations

from pathlib import Path

import duckdb

from ml.csv_checks import quoted
from ml.settings import PROJECT_DIR

_SEEDS = PROJECT_DIR / "seeds"


def load_files(con: duckdb.DuckDBPyConnection, directory: Path) -> None:
    """Read the raw files into the tables that the measures query.

    Makes users, coupons, areas, purchases and visits, and the pairs of user and
    coupon: bought and viewed, with flagged by coupon.
    """

    def read(name: str) -> str:
        path = quoted(str(directory / f"{name}.csv"))
        return f"read_csv({path}, header=true, all_varchar=true, nullstr='NA')"

    def seed(name: str) -> str:
        path = quoted(str(_SEEDS / f"{name}.csv"))
        return f"read_csv({path}, header=true, all_varchar=true)"

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
            {", ".join(usable_columns())}
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


def usable_columns() -> list[str]:
    """Expressions for the nine columns of usable days, named in lower case."""
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
