-- grain: one row per coupon with a validity period
with calendar as (
    select * from {{ ref('dim_calendar') }}
    where is_holiday or day_of_week in (0, 6)
),

-- the rule of each day: that of holidays before that of the weekday, and on the day
-- before a holiday the coupon's rule for such days as well
ruled as (
    select
        coupons.coupon_id,
        calendar.day_of_week in (0, 6) as is_weekend,
        case
            when calendar.is_holiday then coupons.usable_on_holiday
            when calendar.day_of_week = 6 then coupons.usable_on_saturday
            else coupons.usable_on_sunday
        end as day_rule,
        case
            when calendar.is_day_before_holiday
                then coupons.usable_on_day_before_holiday
        end as eve_rule
    from {{ ref('dim_coupons') }} as coupons
    left join calendar
        on
            calendar.calendar_date >= coupons.valid_from_date
            and calendar.calendar_date <= coupons.valid_until_date
            and calendar.calendar_date >= cast(coupons.sale_start_at as date)
    where coupons.valid_from_date is not null
),

free_days as (
    select
        coupon_id,
        cast(count(case when is_weekend then 1 end) as integer) as n_weekend_days,
        cast(count(case when is_weekend
                and day_rule != 'not_usable'
                and coalesce(eve_rule, '') != 'not_usable' then 1
        end) as integer) as n_usable_weekend_days,
        cast(count(case when not is_weekend
                and day_rule != 'not_usable'
                and coalesce(eve_rule, '') != 'not_usable' then 1
        end) as integer) as n_usable_holidays
    from ruled
    group by coupon_id
)

select * from free_days
