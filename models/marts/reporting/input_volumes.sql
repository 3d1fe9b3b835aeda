-- grain: one row per source and day
with events as (
    select
        'purchases' as source_name,
        purchase_date as event_date
    from {{ ref('fct_purchases') }}
    union all
    select
        'visits' as source_name,
        visit_date as event_date
    from {{ ref('fct_visits') }}
    union all
    select
        'registrations' as source_name,
        cast(registered_at as date) as event_date
    from {{ ref('dim_users') }}
),

counted as (
    select
        source_name,
        event_date,
        count(*) as n_rows
    from events
    group by source_name, event_date
),

spans as (
    select
        source_name,
        min(event_date) as first_date,
        -- a source that ends before the others has days with 0
        max(max(event_date)) over () as last_date
    from counted
    group by source_name
),

days as (
    -- a day without a row of a source is a day with 0
    select
        spans.source_name,
        calendar.calendar_date as event_date,
        coalesce(counted.n_rows, 0) as n_rows
    from spans
    inner join {{ ref('dim_calendar') }} as calendar
        on calendar.calendar_date between spans.first_date and spans.last_date
    left join counted
        on
            spans.source_name = counted.source_name
            and calendar.calendar_date = counted.event_date
),

by_weekday as (
    -- the same weekday in consecutive weeks has consecutive numbers
    select
        source_name,
        event_date,
        n_rows,
        {{ day_of_week('event_date') }} as weekday,
        row_number() over (
            partition by source_name, {{ day_of_week('event_date') }}
            order by event_date
        ) as nth
    from days
),

input_volumes as (
    -- a median: one week of promotion does not change what is usual
    select
        today.source_name,
        today.event_date,
        cast(today.n_rows as {{ sql_type('bigint') }}) as n_rows,
        cast(count(earlier.nth) as {{ sql_type('integer') }}) as n_earlier_days,
        cast(
            {{ median('earlier.n_rows') }} as {{ sql_type('double') }}
        ) as usual_rows
    from by_weekday as today
    left join by_weekday as earlier
        on
            today.source_name = earlier.source_name
            and today.weekday = earlier.weekday
            and earlier.nth between today.nth - 8 and today.nth - 1
    group by today.source_name, today.event_date, today.n_rows
)

select * from input_volumes
