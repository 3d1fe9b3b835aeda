-- grain: one row per evaluated cutoff, user and coupon that the latest run missed
with misses as (
    select
        misses.*,
        runs.model_name,
        users.user_id,
        coupons.coupon_id
    from {{ ref('misses') }} as misses
    inner join {{ ref('latest_training_runs') }} as runs
        on misses.run_id = runs.run_id
    inner join {{ ref('dim_users') }} as users
        on misses.user_hash = users.user_hash
    inner join {{ ref('dim_coupons') }} as coupons
        on misses.coupon_hash = coupons.coupon_hash
),

model_misses as (
    select
        misses.cutoff_date,
        misses.user_hash,
        misses.coupon_hash,
        misses.kind,
        misses.rank,
        misses.score,
        misses.reasons,
        misses.lacking_reasons,
        users.user_sex,
        users.user_age,
        users.is_prefecture_known,
        places.working_prefecture as user_prefecture,
        users.n_user_purchases,
        users.n_user_purchases = 0 as has_never_bought,
        users.days_since_last_purchase,
        coalesce(user_genres.n_purchases, 0) as n_genre_purchases,
        coalesce(user_shops.n_purchases, 0) as n_shop_purchases,
        coupons.genre,
        coupons.capsule,
        coupons.large_area,
        coupons.prefecture as coupon_prefecture,
        coupons.discount_price_yen,
        coupons.discount_share,
        places.working_prefecture = coupons.prefecture as is_same_prefecture,
        distances.distance_km,
        exposure.sale_hours_in_week,
        popularity.n_shop_issues,
        popularity.expected_buyers,
        misses.model_name,
        misses.run_id
    from misses
    inner join {{ ref('feature_users') }} as users
        on
            misses.cutoff_date = users.cutoff_date
            and misses.user_id = users.user_id
    inner join {{ ref('feature_user_places') }} as places
        on
            misses.cutoff_date = places.cutoff_date
            and misses.user_id = places.user_id
    inner join {{ ref('feature_coupons') }} as coupons
        on
            misses.cutoff_date = coupons.cutoff_date
            and misses.coupon_id = coupons.coupon_id
    inner join {{ ref('feature_coupon_exposure') }} as exposure
        on
            misses.cutoff_date = exposure.cutoff_date
            and misses.coupon_id = exposure.coupon_id
    inner join {{ ref('feature_coupon_popularity') }} as popularity
        on
            misses.cutoff_date = popularity.cutoff_date
            and misses.coupon_id = popularity.coupon_id
    left join {{ ref('feature_user_genres') }} as user_genres
        on
            misses.cutoff_date = user_genres.cutoff_date
            and misses.user_id = user_genres.user_id
            and coupons.genre = user_genres.genre
    left join {{ ref('feature_user_shops') }} as user_shops
        on
            misses.cutoff_date = user_shops.cutoff_date
            and misses.user_id = user_shops.user_id
            and coupons.shop_key_id = user_shops.shop_key_id
    left join {{ ref('int_prefecture_distances') }} as distances
        on
            places.working_prefecture = distances.user_prefecture
            and coupons.prefecture = distances.coupon_prefecture
)

select * from model_misses
