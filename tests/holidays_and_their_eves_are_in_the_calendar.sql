-- Showa Day 2012 fell on a Sunday, so the Monday after it was a holiday too; neither
-- the Friday before nor the Tuesday after was one
with expected as (
    select
        cast('2012-04-27' as date) as calendar_date,
        'friday' as weekday,
        false as is_holiday,
        false as is_day_before_holiday
    union all
    select
        cast('2012-04-28' as date),
        'saturday',
        false,
        true
    union all
    select
        cast('2012-04-29' as date),
        'sunday',
        true,
        true
    union all
    select
        cast('2012-04-30' as date),
        'monday',
        true,
        false
    union all
    select
        cast('2012-05-01' as date),
        'tuesday',
        false,
        false
)

select
    expected.*,
    days.weekday as weekday_found,
    days.is_holiday as is_holiday_found,
    days.is_day_before_holiday as is_day_before_holiday_found
from expected
left join {{ ref('dim_calendar') }} as days
    on expected.calendar_date = days.calendar_date
where
    expected.weekday is distinct from days.weekday
    or expected.is_holiday is distinct from days.is_holiday
    or expected.is_day_before_holiday
    is distinct from days.is_day_before_holiday
