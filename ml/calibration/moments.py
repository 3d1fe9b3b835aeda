"""When purchases and visits happen."""

from __future__ import annotations

import duckdb
import numpy as np

from ml.calibration.query import named_values
from ml.sample_data import published


def time(con: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """Measure months, weekdays, hours, and days since the sale began."""
    values = named_values(
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
    )
    for table in ("purchases", "visits"):
        name = f"hours of {table} away from those of registrations"
        values[name] = _hours_away(con, table)
    return values


def _hours_away(con: duckdb.DuckDBPyConnection, table: str) -> float:
    """Percent of rows in other hours than registrations have."""
    proxy = np.array(published.REGISTRATION_HOURS) / sum(published.REGISTRATION_HOURS)
    hours = np.zeros(24)
    for hour, n in con.execute(
        f"select hour(moment), count(*) from {table} group by all"
    ).fetchall():
        hours[hour] = n
    return float(50 * np.abs(hours / max(hours.sum(), 1) - proxy).sum())
