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

input_volumes as (
    select
        source_name,
        event_date,
        cast(n_rows as bigint) as n_rows,
        cast(
            count(*) over same_weekday as integer
        ) as n_earlier_days,
        cast(sum(n_rows) over same_weekday as {{ sql_type('double') }})
        / nullif(count(*) over same_weekday, 0) as usual_rows
    from days
    window
        same_weekday as (
            partition by source_name, {{ day_of_week('event_date') }}
            order by event_date
            rows between 8 preceding and 1 preceding
        )
)

select * from input_volumes
