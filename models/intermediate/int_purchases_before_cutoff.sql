-- grain: one row per cutoff and earlier purchase of a listed coupon by a listed user
{{ config(materialized='view') }}

with cutoffs as (
    select * from {{ ref('int_cutoffs_to_build') }}
),

purchases as (
    select * from {{ ref('fct_purchases') }}
    where is_listed_user and is_listed_coupon
),

earlier_purchases as (
    select
        cutoffs.cutoff_date,
        purchases.user_id,
        purchases.coupon_id,
        purchases.spend_yen,
        purchases.unit_price_yen,
        cast(floor((
            {{ epoch_seconds('cutoffs.cutoff_at') }}
            - {{ epoch_seconds('purchases.purchased_at') }}
        ) / 86400.0) as integer) as age_days
    from cutoffs
    inner join purchases on purchases.purchased_at < cutoffs.cutoff_at
)

select * from earlier_purchases
