-- grain: one row per cutoff and earlier purchase of a listed coupon by a listed user
{{ config(materialized='view') }}

with cutoffs as (
    select * from {{ ref('cutoffs') }}
),

purchases as (
    select * from {{ ref('fct_purchases') }}
    where is_listed_user and is_listed_coupon
),

aged as (
    select
        cutoffs.cutoff_date,
        purchases.user_id,
        purchases.coupon_id,
        purchases.spend_yen,
        {{ epoch_seconds('cutoffs.cutoff_at') }}
        - {{ epoch_seconds('purchases.purchased_at') }} as age_seconds
    from cutoffs
    inner join purchases on purchases.purchased_at < cutoffs.cutoff_at
),

earlier_purchases as (
    select
        aged.cutoff_date,
        aged.user_id,
        aged.coupon_id,
        coupons.genre,
        coupons.large_area,
        coupons.prefecture,
        coupons.small_area,
        coupons.shop_key_id,
        aged.spend_yen,
        coupons.discount_price_yen,
        cast(floor(aged.age_seconds / 86400.0) as integer) as age_days,
        -- a whole number, so that sums do not depend on the order of rows
        cast(round(10000 * power(
            0.5,
            aged.age_seconds / (86400.0 * {{ var('profile_half_life_days') }})
        )) as bigint) as decayed_weight
    from aged
    inner join {{ ref('dim_coupons') }} as coupons
        on aged.coupon_id = coupons.coupon_id
)

select * from earlier_purchases
