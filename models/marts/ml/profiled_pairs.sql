-- grain: one row per cutoff, user and coupon of the sample
{%- set modulus = 2147483647 %}

with ranked_users as (
    select
        cutoff_date,
        user_id,
        user_seed,
        row_number() over (
            partition by cutoff_date
            order by user_seed, user_hash
        ) as place
    from {{ ref('int_candidate_users') }}
),

chosen_users as (
    select * from ranked_users
    where place <= {{ var('profile_users') }}
),

-- the product of two seeds modulo a prime spreads evenly over 1 .. modulus - 1
chosen_pairs as (
    select
        users.cutoff_date,
        users.user_id,
        coupons.coupon_id
    from chosen_users as users
    inner join {{ ref('int_candidate_coupons') }} as coupons
        on users.cutoff_date = coupons.cutoff_date
    where
        mod(users.user_seed * coupons.coupon_seed, {{ modulus }})
        <= {{ var('profile_pair_share') }} * ({{ modulus }} - 1)
)

{{ pair_features('chosen_pairs', part='any', only_users='chosen_users') }}
