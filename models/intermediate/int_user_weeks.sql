-- grain: one row per listed user and week with a purchase or page view
-- depends_on: {{ ref('int_event_inputs') }}
with events as (
    select
        user_id,
        {{ sunday_of('purchased_at') }} as week_start_date,
        item_count,
        unit_price_yen,
        purchased_at,
        cast(null as integer) as session_id,
        cast(null as {{ sql_type('timestamp') }}) as visited_at
    from {{ ref('fct_purchases') }}
    where
        is_listed_user
        and {{ is_week_to_build(sunday_of('purchased_at')) }}
    union all
    select
        user_id,
        {{ sunday_of('visited_at') }} as week_start_date,
        cast(null as integer) as item_count,
        cast(null as integer) as unit_price_yen,
        cast(null as {{ sql_type('timestamp') }}) as purchased_at,
        session_id,
        visited_at
    from {{ ref('fct_visits') }}
    where
        is_listed_user
        and {{ is_week_to_build(sunday_of('visited_at')) }}
),

user_weeks as (
    select
        user_id,
        week_start_date,
        cast(count(purchased_at) as integer) as n_purchases,
        cast(coalesce(sum(item_count), 0) as bigint) as n_items,
        cast(count(unit_price_yen) as integer) as n_priced_purchases,
        cast(count(case when unit_price_yen <= 100 then 1 end) as integer)
            as n_cheap_purchases,
        cast(count(visited_at) as integer) as n_views,
        cast(count(distinct session_id) as integer) as n_sessions,
        max(purchased_at) as last_purchased_at,
        max(visited_at) as last_visited_at
    from events
    group by user_id, week_start_date
)

select * from user_weeks
