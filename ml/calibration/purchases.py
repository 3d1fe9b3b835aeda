"""Purchases by user, by coupon, by genre, and at what price."""

from __future__ import annotations

import duckdb

from ml.calibration.query import named_values


def per_user(con: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """Measure purchases per user."""
    return named_values(
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
    )


def per_coupon(con: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """Measure purchases per coupon."""
    return named_values(
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
    )


def genre(con: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """Measure shares and means by genre."""
    return named_values(
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
    )


def price(con: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """Measure prices and discounts, of coupons and of purchases."""
    return named_values(
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
    )
