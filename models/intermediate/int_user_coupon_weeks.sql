-- grain: one row per listed user, listed coupon and cutoff from which an event is known
with events as (
    select
        user_id,
        coupon_id,
        {{ sunday_of('purchased_at') }} as week_start_date,
        1 as n_purchases,
        0 as n_views
    from {{ ref('fct_purchases') }}
    where is_listed_user and is_listed_coupon
    union all
    select
        user_id,
        coupon_id,
        {{ sunday_of('visited_at') }} as week_start_date,
        0 as n_purchases,
        1 as n_views
    from {{ ref('fct_visits') }}
    where is_listed_user and is_listed_coupon
),

weeks as (
    select
        user_id,
        coupon_id,
        week_start_date,
        cast(sum(n_purchases) as integer) as n_purchases,
        cast(sum(n_views) as integer) as n_views
    from events
    group by user_id, coupon_id, week_start_date
),

-- what a coupon is becomes known at the start of the week of its release, so a page
-- view long before the sale counts from then on
user_coupon_weeks as (
    select
        weeks.user_id,
        weeks.coupon_id,
        greatest(
            cast({{ dbt.dateadd('day', 7, 'weeks.week_start_date') }} as date),
            coupons.release_week_date
        ) as known_from_date,
        cast(sum(weeks.n_purchases) as integer) as n_purchases,
        cast(sum(weeks.n_views) as integer) as n_views
    from weeks
    inner join {{ ref('dim_coupons') }} as coupons
        on weeks.coupon_id = coupons.coupon_id
    group by all
)

select * from user_coupon_weeks
