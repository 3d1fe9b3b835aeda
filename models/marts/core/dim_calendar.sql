-- grain: one row per day from 2010-07-01 to 2013-12-31
with numbers as (
    {{ dbt.generate_series(1280) }}
),

days as (
    select
        cast(
            {{ dbt.dateadd(
                'day',
                'cast(generated_number - 1 as integer)',
                "cast('2010-07-01' as date)"
            ) }} as date
        ) as calendar_date
    from numbers
)

select
    days.calendar_date,
    {{ sunday_of('days.calendar_date') }} as week_start_date,
    cast({{ day_of_week('days.calendar_date') }} as integer) as day_of_week,
    case cast({{ day_of_week('days.calendar_date') }} as integer)
        when 0 then 'sunday'
        when 1 then 'monday'
        when 2 then 'tuesday'
        when 3 then 'wednesday'
        when 4 then 'thursday'
        when 5 then 'friday'
        when 6 then 'saturday'
    end as weekday,
    holidays.holiday_date is not null as is_holiday,
    day_after.holiday_date is not null as is_day_before_holiday,
    holidays.holiday_ja,
    holidays.holiday_en,
    holidays.holiday_ko
from days
left join {{ ref('holidays') }} as holidays
    on days.calendar_date = holidays.holiday_date
left join {{ ref('holidays') }} as day_after
    on cast({{ dbt.dateadd('day', 1, 'days.calendar_date') }} as date)
        = day_after.holiday_date
