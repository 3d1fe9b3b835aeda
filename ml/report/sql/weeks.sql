-- grain: one row per whole week, from Sunday on
with bounds as (
    select
        min(purchase_date) as first_date,
        max(purchase_date) as last_date
    from core.fct_purchases
),

weeks as (
    select
        days.week_start_date,
        count(*) filter (where days.is_holiday) as n_holidays
    from core.dim_calendar as days
    cross join bounds
    where
        days.week_start_date >= bounds.first_date
        and days.week_start_date + 6 <= bounds.last_date
    group by days.week_start_date
)

select
    weeks.week_start_date,
    weeks.n_holidays,
    count(purchases.purchase_hash) as n_purchases,
    count(distinct purchases.user_id) as n_buyers
from weeks
left join core.fct_purchases as purchases
    on
        purchases.purchase_date >= weeks.week_start_date
        and purchases.purchase_date < weeks.week_start_date + 7
group by weeks.week_start_date, weeks.n_holidays
order by weeks.week_start_date
