-- grain: one row per cutoff, user and coupon of the sample

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

chosen_pairs as (
    select
        users.cutoff_date,
        users.user_id,
        coupons.coupon_id
    from chosen_users as users
    inner join {{ ref('int_candidate_coupons') }} as coupons
        on users.cutoff_date = coupons.cutoff_date
    where
        {{ is_drawn(
            'users.user_seed', 'coupons.coupon_seed', var('profile_pair_share')
        ) }}
)

{{ pair_features('chosen_pairs', sample=true, part='any', only_users='chosen_users') }}
