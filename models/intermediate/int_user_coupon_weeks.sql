-- grain: one row per listed user, listed coupon and week with a purchase or page view
-- depends_on: {{ ref('int_event_inputs') }}
with events as (
    select
        user_id,
        coupon_id,
        {{ sunday_of('purchased_at') }} as week_start_date,
        purchased_at,
        cast(null as {{ sql_type('timestamp') }}) as visited_at
    from {{ ref('fct_purchases') }}
    where
        is_listed_user and is_listed_coupon
        and {{ is_week_to_build(sunday_of('purchased_at')) }}
    union all
    select
        user_id,
        coupon_id,
        {{ sunday_of('visited_at') }} as week_start_date,
        cast(null as {{ sql_type('timestamp') }}) as purchased_at,
        visited_at
    from {{ ref('fct_visits') }}
    where
        is_listed_user and is_listed_coupon
        and {{ is_week_to_build(sunday_of('visited_at')) }}
),

weeks as (
    select
        user_id,
        coupon_id,
        week_start_date,
        cast(count(purchased_at) as integer) as n_purchases,
        cast(count(visited_at) as integer) as n_views,
        max(visited_at) as last_visited_at
    from events
    group by user_id, coupon_id, week_start_date
),

user_coupon_weeks as (
    select
        weeks.*,
        coupons.shop_key_id,
        coupons.genre,
        coupons.prefecture,
        -- a coupon may be looked at weeks before its sale, when nothing of it is known
        cast({{ dbt.dateadd(
            'day', 7, 'greatest(weeks.week_start_date, coupons.release_week_date)'
        ) }} as date) as known_from_date
    from weeks
    inner join {{ ref('dim_coupons') }} as coupons
        on weeks.coupon_id = coupons.coupon_id
)

select * from user_coupon_weeks
