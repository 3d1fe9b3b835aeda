-- grain: one row per cutoff, newcomer and coupon of its target week
{{ config(materialized='view') }}

with candidate_pairs as (
    select
        users.cutoff_date,
        users.user_id,
        coupons.coupon_id
    from {{ ref('feature_newcomers') }} as users
    inner join {{ ref('feature_coupons') }} as coupons
        on users.cutoff_date = coupons.cutoff_date
)

{{ pair_features('candidate_pairs', newcomers=true) }}
