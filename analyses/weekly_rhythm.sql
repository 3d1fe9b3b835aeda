-- question: on which weekdays, hours and holidays do people buy, look and register?
--
-- On the competition's files (purchases up to 2012-06-16, see the README) Tuesdays, on
-- which most sales start, and Wednesdays are strongest (17 % each), Sundays and
-- Saturdays weakest (11 % each), as in published charts. On public holidays 28 % less
-- is bought than on working days, much as on weekends (31 % less); days before a
-- holiday lie in between. The times of day of these purchases are drawn, so their hours
-- are no answer; those of Kaggle's file are real. Hours of registrations are real on
-- any files: most at 17 and from 21 to 23 o'clock, fewest from 2 to 6; their weekdays
-- hardly differ (14 to 15 %). On the synthetic sample, as it was made, purchases peak
-- at 12, 17 and 22 o'clock.
--
-- `n_days` are the days of the group within the time of the events; for hours all of
-- them.

with events as (
    select
        1 as position,
        'purchase' as event_kind,
        purchased_at as event_at
    from {{ ref('fct_purchases') }}
    union all
    select
        2 as position,
        'view' as event_kind,
        visited_at as event_at
    from {{ ref('fct_visits') }}
    union all
    select
        3 as position,
        'registration' as event_kind,
        registered_at as event_at
    from {{ ref('dim_users') }}
),

daily as (
    select
        position,
        event_kind,
        cast(event_at as date) as event_date,
        cast(extract(hour from event_at) as integer) as event_hour,
        count(*) as n_events
    from events
    group by position, event_kind, event_date, event_hour
),

periods as (
    select
        position,
        event_kind,
        min(event_date) as first_date,
        max(event_date) as last_date
    from daily
    group by position, event_kind
),

days as (
    select
        periods.position,
        periods.event_kind,
        calendar.calendar_date,
        calendar.day_of_week,
        calendar.weekday,
        case
            when calendar.is_holiday then 'public holiday'
            when calendar.day_of_week in (0, 6) then 'weekend'
            when calendar.is_day_before_holiday then 'day before a holiday'
            else 'working day'
        end as kind_of_day
    from periods
    inner join {{ ref('dim_calendar') }} as calendar
        on calendar.calendar_date between periods.first_date and periods.last_date
),

by_day as (
    select
        position,
        event_kind,
        event_date,
        sum(n_events) as n_events
    from daily
    group by position, event_kind, event_date
),

counted_days as (
    select
        days.*,
        coalesce(by_day.n_events, 0) as n_events
    from days
    left join by_day
        on days.event_kind = by_day.event_kind
            and days.calendar_date = by_day.event_date
),

lengths as (
    select
        event_kind,
        count(*) as n_days
    from days
    group by event_kind
),

rhythm as (
    select
        position,
        event_kind,
        '1 weekday' as split_by,
        weekday as group_name,
        day_of_week as group_position,
        count(*) as n_days,
        sum(n_events) as n_events
    from counted_days
    group by position, event_kind, weekday, day_of_week
    union all
    select
        position,
        event_kind,
        '2 kind of day' as split_by,
        kind_of_day as group_name,
        0 as group_position,
        count(*) as n_days,
        sum(n_events) as n_events
    from counted_days
    group by position, event_kind, kind_of_day
    union all
    select
        daily.position,
        daily.event_kind,
        '3 hour' as split_by,
        cast(daily.event_hour as {{ dbt.type_string() }}) as group_name,
        daily.event_hour as group_position,
        max(lengths.n_days) as n_days,
        sum(daily.n_events) as n_events
    from daily
    inner join lengths on daily.event_kind = lengths.event_kind
    group by daily.position, daily.event_kind, daily.event_hour
)

select
    event_kind,
    split_by,
    group_name,
    n_days,
    n_events,
    round(100.0 * n_events / sum(n_events) over (partition by event_kind, split_by), 1)
        as percent_of_split,
    round(1.0 * n_events / n_days, 1) as events_per_day
from rhythm
order by position, split_by, group_position, group_name
