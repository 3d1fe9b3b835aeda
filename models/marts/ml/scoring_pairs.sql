-- grain: one row per cutoff, user registered before it and coupon of its target week
{{ config(materialized='view') }}

with candidate_pairs as (
    select
        users.cutoff_date,
        users.user_id,
        coupons.coupon_id
    from {{ ref('feature_users') }} as users
    inner join {{ ref('feature_coupons') }} as coupons
        on users.cutoff_date = coupons.cutoff_date
)

{{ pair_features('candidate_pairs') }}
