-- grain: one row per day of the week (0 is Sunday) and hour
with days as (
    select unnest(range(7)) as day_of_week
),

hours as (
    select unnest(range(24)) as hour_of_day
),

slots as (
    select
        days.day_of_week,
        hours.hour_of_day
    from days
    cross join hours
),

purchases as (
    select
        extract(dow from purchased_at) as day_of_week,
        extract(hour from purchased_at) as hour_of_day,
        count(*) as n_purchases
    from core.fct_purchases
    group by all
)

select
    slots.day_of_week,
    slots.hour_of_day,
    coalesce(purchases.n_purchases, 0) as n_purchases
from slots
left join purchases
    on
        slots.day_of_week = purchases.day_of_week
        and slots.hour_of_day = purchases.hour_of_day
order by slots.day_of_week, slots.hour_of_day
