-- grain: one row per cutoff, user and kind of coupon that they bought before it
with weeks as (
    select
        events.user_id,
        coupons.genre,
        coupons.capsule,
        coupons.prefecture,
        coupons.small_area,
        coupons.discount_price_yen,
        events.known_from_date,
        sum(events.n_purchases) as n_purchases
    from {{ ref('int_user_coupon_weeks') }} as events
    inner join {{ ref('dim_coupons') }} as coupons
        on events.coupon_id = coupons.coupon_id
    where events.n_purchases > 0
    group by all
),

user_purchases as (
    select
        users.cutoff_date,
        users.user_id,
        weeks.genre,
        weeks.capsule,
        weeks.prefecture,
        weeks.small_area,
        weeks.discount_price_yen,
        cast(sum({{ decayed_purchase_millionths('weeks', 'users') }}) as bigint)
            as decayed_purchase_millionths
    from {{ ref('int_candidate_users') }} as users
    inner join weeks
        on
            users.user_id = weeks.user_id
            and users.cutoff_date >= weeks.known_from_date
    group by all
)

select * from user_purchases
