-- grain: one row per cutoff, user and coupon of the target week viewed before it
with previews as (
    select
        coupons.cutoff_date,
        weeks.user_id,
        weeks.coupon_id,
        sum(weeks.n_views) as n_views,
        max(weeks.last_visited_at) as last_visited_at
    from {{ ref('feature_coupons') }} as coupons
    inner join {{ ref('int_user_coupon_weeks') }} as weeks
        on
            coupons.coupon_id = weeks.coupon_id
            and coupons.cutoff_date > weeks.week_start_date
    where weeks.n_views > 0
    group by coupons.cutoff_date, weeks.user_id, weeks.coupon_id
),

user_coupon_views as (
    select
        previews.cutoff_date,
        previews.user_id,
        previews.coupon_id,
        cast(previews.n_views as integer) as n_coupon_views,
        (
            {{ epoch_seconds('cutoffs.cutoff_at') }}
            - {{ epoch_seconds('previews.last_visited_at') }}
        ) / cast(3600 as {{ sql_type('double') }}) as hours_since_coupon_view
    from previews
    inner join {{ ref('int_cutoffs_to_build') }} as cutoffs
        on previews.cutoff_date = cutoffs.cutoff_date
    inner join {{ ref('int_candidate_users') }} as users
        on
            previews.cutoff_date = users.cutoff_date
            and previews.user_id = users.user_id
)

select * from user_coupon_views
