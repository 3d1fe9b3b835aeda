{# Every feature of (cutoff_date, user_id, coupon_id) pairs, for training and scoring
   alike: the narrow feature marts are joined here and nowhere else. `pairs` is the name
   of a CTE or relation with the three keys, `columns` what else to carry along. #}
{% macro pair_features(pairs, columns=[]) -%}
{%- set weights = var('cosine_weights') -%}
select
    pairs.cutoff_date,
    pairs.user_id,
    pairs.coupon_id,
    {% for column in columns -%}
    pairs.{{ column }},
    {% endfor %}
    -- user
    users.user_sex,
    users.user_age,
    users.is_prefecture_known,
    users.user_tenure_days,
    users.is_withdrawn,
    users.n_user_purchases,
    users.n_user_purchases_28d,
    users.user_spend_yen,
    users.user_mean_price_yen,
    users.days_since_last_purchase,
    -- coupon
    coupons.genre,
    coupons.capsule,
    coupons.large_area,
    coupons.catalog_price_yen,
    coupons.discount_price_yen,
    coupons.saving_yen,
    coupons.discount_share,
    exposure.sale_hours_in_week,
    exposure.release_day_of_week,
    exposure.display_days,
    exposure.valid_days,
    exposure.days_until_valid,
    exposure.has_day_rule,
    exposure.usable_on_saturday,
    exposure.usable_on_sunday,
    exposure.usable_on_holiday,
    exposure.n_usable_days,
    exposure.n_conditional_days,
    -- popularity
    popularity.n_shop_issues,
    popularity.n_shop_issues_on_sale,
    popularity.days_since_last_shop_issue,
    popularity.shop_buyers_per_issue,
    popularity.genre_buyers_per_day,
    popularity.coupon_buyers_per_day,
    popularity.expected_buyers,
    -- pair
    users.user_prefecture = coupons.prefecture as is_same_prefecture,
    -- the shop's own prefecture counts as listed, so that a coupon without area rows
    -- does not stand out: whether it has any is an outcome
    case
        when users.user_prefecture is null then null
        else
            listed.coupon_id is not null
            or users.user_prefecture = coupons.prefecture
    end as is_listed_in_prefecture,
    distances.distance_km,
    coalesce(user_genres.purchase_share, 0) as genre_purchase_share,
    coalesce(user_prefectures.purchase_share, 0) as prefecture_purchase_share,
    coalesce(user_small_areas.purchase_share, 0) as small_area_purchase_share,
    coalesce(user_shops.n_purchases, 0) as n_shop_purchases,
    user_shops.days_since_last_purchase as days_since_shop_purchase,
    coupons.discount_price_yen / nullif(users.user_mean_price_yen, 0)
        as price_to_user_mean_ratio,
    coalesce(
        (
            {{ weights.genre }} * coalesce(user_genres.profile_share, 0)
            + {{ weights.large_area }}
            * coalesce(user_large_areas.profile_share, 0)
            + {{ weights.prefecture }}
            * coalesce(user_prefectures.profile_share, 0)
            + {{ weights.small_area }}
            * coalesce(user_small_areas.profile_share, 0)
        )
        / (
            user_profiles.profile_norm
            * sqrt(cast({{ weights.values() | sum }} as double))
        ),
        0
    ) as profile_cosine
from {{ pairs }} as pairs
inner join {{ ref('feature_users') }} as users
    on
        pairs.cutoff_date = users.cutoff_date
        and pairs.user_id = users.user_id
inner join {{ ref('feature_coupons') }} as coupons
    on
        pairs.cutoff_date = coupons.cutoff_date
        and pairs.coupon_id = coupons.coupon_id
inner join {{ ref('feature_coupon_exposure') }} as exposure
    on
        pairs.cutoff_date = exposure.cutoff_date
        and pairs.coupon_id = exposure.coupon_id
inner join {{ ref('feature_coupon_popularity') }} as popularity
    on
        pairs.cutoff_date = popularity.cutoff_date
        and pairs.coupon_id = popularity.coupon_id
left join {{ ref('feature_user_profiles') }} as user_profiles
    on
        pairs.cutoff_date = user_profiles.cutoff_date
        and pairs.user_id = user_profiles.user_id
{%- for attribute in ['genre', 'large_area', 'prefecture', 'small_area'] %}
left join {{ ref('feature_user_' ~ attribute ~ 's') }} as user_{{ attribute }}s
    on
        pairs.cutoff_date = user_{{ attribute }}s.cutoff_date
        and pairs.user_id = user_{{ attribute }}s.user_id
        and coupons.{{ attribute }} = user_{{ attribute }}s.{{ attribute }}
{%- endfor %}
left join {{ ref('feature_user_shops') }} as user_shops
    on
        pairs.cutoff_date = user_shops.cutoff_date
        and pairs.user_id = user_shops.user_id
        and coupons.shop_key_id = user_shops.shop_key_id
left join {{ ref('int_prefecture_distances') }} as distances
    on
        users.user_prefecture = distances.user_prefecture
        and coupons.prefecture = distances.coupon_prefecture
left join {{ ref('int_coupon_prefectures') }} as listed
    on
        pairs.coupon_id = listed.coupon_id
        and users.user_prefecture = listed.prefecture
{%- endmacro %}
