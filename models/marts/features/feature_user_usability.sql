-- grain: one row per cutoff, user and usability pattern of an earlier purchase
with weeks as (
    select
        weeks.user_id,
        coupons.usability_pattern,
        weeks.known_from_date,
        sum(weeks.n_purchases) as n_purchases
    from {{ ref('int_user_coupon_weeks') }} as weeks
    inner join {{ ref('dim_coupons') }} as coupons
        on weeks.coupon_id = coupons.coupon_id
    where weeks.n_purchases > 0
    group by weeks.user_id, coupons.usability_pattern, weeks.known_from_date
),

history as (
    select
        users.cutoff_date,
        users.user_id,
        weeks.usability_pattern,
        sum(weeks.n_purchases) as n_purchases
    from {{ ref('int_candidate_users') }} as users
    inner join weeks
        on
            users.user_id = weeks.user_id
            and users.cutoff_date >= weeks.known_from_date
    group by users.cutoff_date, users.user_id, weeks.usability_pattern
),

user_usability as (
    select
        cutoff_date,
        user_id,
        usability_pattern,
        n_purchases / cast(
            sum(n_purchases)
                over (partition by cutoff_date, user_id)
            as {{ sql_type('double') }}
        ) as usability_purchase_share
    from history
)

select * from user_usability
