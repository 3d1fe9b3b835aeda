"""Totals: rows, users, sessions, weeks, and repeated purchases."""

from __future__ import annotations

import duckdb

from ml.calibration.query import named_values


def volume(con: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """Measure rows, users, sessions and referrers."""
    return named_values(
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
    )


def repeat(con: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """Measure repeated pairs, re-issued offers and items per purchase."""
    return named_values(
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
    )


def week(con: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """Measure activity by week."""
    return named_values(
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
    )
