"""The lists of coupons, areas and users."""

from __future__ import annotations

import duckdb

from ml.calibration.load import usable_columns
from ml.calibration.query import named_values


def lists(con: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """Measure nulls, usable days, areas, displays, and who the users are."""
    return _lists(con) | _usable_days(con)


def _lists(con: duckdb.DuckDBPyConnection) -> dict[str, float]:
    return named_values(
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
    )


def _usable_days(con: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """Percent of coupons with each value, among those that have values."""
    shares = {}
    for column in usable_columns():
        name = column.split("::")[0]
        alias = column.split(" as ")[1]
        for value in (0, 1, 2):
            query = f"""
                select '{name} = {value}', 100.0 * avg(({alias} = {value})::int)
                from coupons where not is_test and {alias} is not null
            """
            shares |= named_values(con, query)
    return shares
