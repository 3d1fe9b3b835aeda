{# Every feature of (cutoff_date, user_id, coupon_id) pairs, for training and scoring
   alike: the narrow feature marts are joined here and nowhere else. `pairs` is the name
   of a CTE or relation with the three keys, `columns` what else to carry along. With
   `sample` the pairs are a few of all, and likeness is summed up for these alone. With
   `part` only those cutoffs to build are read that belong to one part, or to any; with
   `only_users`, the name of a CTE with a `user_id`, of the marts only what they hold of
   these users. With `newcomers` the users are those of feature_newcomers, of whom
   nothing has been seen yet. #}
{% macro pair_features(pairs, columns=[], sample=false, part=none, only_users=none, newcomers=false) -%}
{%- set (users, activity, places) = ('feature_newcomers',) * 3 if newcomers
    else ('feature_users', 'feature_user_activity', 'feature_user_places') %}
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
    -- rhythm
    activity.n_user_purchases_7d,
    activity.n_user_purchases_91d,
    activity.items_per_purchase,
    activity.cheap_purchase_share,
    activity.is_new_member,
    activity.new_member_days,
    activity.n_active_weeks,
    activity.n_active_weeks_4w,
    activity.n_active_weeks_13w,
    activity.active_week_share,
    activity.buying_week_share,
    -- coupon
    coupons.genre,
    coupons.capsule,
    coupons.large_area,
    -- price
    coupons.catalog_price_yen,
    coupons.discount_price_yen,
    coupons.saving_yen,
    coupons.discount_share,
    prices.genre_price_z_score,
    prices.area_price_rank,
    prices.cheaper_rivals_share,
    prices.price_to_area_median_ratio,
    prices.n_area_rivals,
    prices.n_prefecture_rivals,
    prices.n_genre_rivals,
    prices.n_shop_candidates,
    coupons.discount_price_yen / nullif(users.user_mean_price_yen, 0)
        as price_to_user_mean_ratio,
    -- exposure
    exposure.sale_hours_in_week,
    exposure.release_day_of_week,
    exposure.release_hour,
    exposure.display_days,
    exposure.display_days_to_recent_ratio,
    exposure.valid_days,
    exposure.days_until_valid,
    exposure.usability_pattern,
    exposure.usable_on_saturday,
    exposure.usable_on_sunday,
    exposure.usable_on_holiday,
    exposure.n_usable_days,
    exposure.n_conditional_days,
    exposure.n_usable_weekend_days,
    exposure.n_usable_holidays,
    case
        when users.n_user_purchases > 0
            then coalesce(user_usability.usability_purchase_share, 0)
    end as usability_purchase_share,
    -- popularity
    popularity.n_shop_issues,
    popularity.n_shop_issues_on_sale,
    popularity.days_since_last_shop_issue,
    popularity.shop_buyers_per_issue,
    popularity.shop_buyers_per_day,
    popularity.last_shop_issue_buyers_per_day,
    popularity.n_area_band_issues,
    popularity.area_band_buyers_per_day,
    popularity.genre_buyers_per_day,
    popularity.recent_genre_buyers_per_day,
    popularity.coupon_buyers_per_day,
    popularity.expected_buyers,
    popularity.shop_new_buyer_share,
    coupon_likeness.everybodys_coupon_likeness,
    -- place
    places.is_prefecture_inferred,
    places.prefecture_certainty,
    places.working_prefecture = coupons.prefecture as is_same_prefecture,
    -- the shop's own prefecture counts as listed, so that a coupon without area rows
    -- does not stand out: whether it has any is an outcome
    case
        when places.working_prefecture is null then null
        else
            listed.coupon_id is not null
            or places.working_prefecture = coupons.prefecture
    end as is_listed_in_prefecture,
    distances.distance_km,
    distances.nearness_rank,
    user_distances.{{ 'everybodys' if newcomers else 'distance' }}_purchase_share
        as distance_purchase_share,
    -- segment
    {% for attribute in ['genre', 'small_area', 'shop'] -%}
    segments.segment_{{ attribute }}_purchase_rate,
    {% endfor %}
    likeness_to_segment.segment_likeness,
    -- preference
    {% for attribute in attributes() -%}
    {{ smoothed_rates(attribute, 'purchase') }},
    {% endfor -%}
    user_genres.weeks_since_purchase as weeks_since_genre_purchase,
    user_prefectures.weeks_since_purchase as weeks_since_prefecture_purchase,
    coalesce(user_shops.n_purchases, 0) as n_shop_purchases,
    user_shops.weeks_since_purchase as weeks_since_shop_purchase,
    -- similarity
    {{ profile_cosine() }} as profile_cosine,
    {% for name in ['coupon', 'local', 'priced'] -%}
    {{ smoothed_likeness(name ~ '_likeness', newcomers) }} as {{ name }}_likeness,
    {% endfor -%}
    cast(
        {{ competition_cosine() }} as {{ sql_type('double') }}
    ) as competition_cosine,
    -- views
    activity.n_user_views_7d,
    activity.n_user_views_28d,
    activity.n_user_views_91d,
    activity.n_user_sessions_28d,
    activity.days_since_last_view,
    user_distances.{{ 'everybodys' if newcomers else 'distance' }}_view_share
        as distance_view_share,
    {% for attribute in ['genre', 'small_area', 'shop'] -%}
    segments.segment_{{ attribute }}_view_rate,
    {% endfor -%}
    {% for attribute in attributes() -%}
    {{ smoothed_rates(attribute, 'view') }},
    {% endfor -%}
    user_genres.weeks_since_view as weeks_since_genre_view,
    user_prefectures.weeks_since_view as weeks_since_prefecture_view,
    case when cutoffs.has_visit_log then coalesce(user_shops.n_views, 0) end
        as n_shop_views,
    user_shops.weeks_since_view as weeks_since_shop_view,
    {% for column in ['n_competition_views', 'n_competition_views_28d'] -%}
    case
        when cutoffs.has_visit_log
            then coalesce(competition_views.{{ column }}, 0)
    end as {{ column }},
    {% endfor -%}
    popularity.shop_viewers_per_day,
    popularity.coupon_viewers_per_day,
    popularity.expected_viewers,
    popularity.shop_viewer_purchase_share,
    -- views before the sale
    popularity.n_early_viewers,
    case when cutoffs.has_visit_log then coalesce(coupon_views.n_coupon_views, 0) end
        as n_coupon_views,
    coupon_views.hours_since_coupon_view
from {{ pairs }} as pairs
inner join {{ of_part('cutoffs', part) }} as cutoffs
    on pairs.cutoff_date = cutoffs.cutoff_date
{{ join_users(users, 'users', part, only_users, kind='inner') }}
{{ join_users(activity, 'activity', part, only_users, kind='inner') }}
{{ join_users(places, 'places', part, only_users, kind='inner') }}
{{ join_users('feature_user_profiles', 'user_profiles', part, only_users) }}
{{ join_users('feature_user_event_totals', 'totals', part, only_users) }}
{{ join_coupons('feature_coupons', 'coupons') }}
{{ join_coupons('feature_coupon_prices', 'prices') }}
{{ join_coupons('feature_coupon_exposure', 'exposure') }}
{{ join_coupons('feature_coupon_popularity', 'popularity') }}
{{ join_coupons('feature_coupon_profiles', 'coupon_profiles') }}
{{ join_coupons('feature_coupon_likeness', 'coupon_likeness') }}
inner join {{ of_part('feature_segment_coupons', part) }} as segments
    on
        pairs.cutoff_date = segments.cutoff_date
        and users.segment = segments.segment
        and pairs.coupon_id = segments.coupon_id
inner join {{ of_part('feature_segment_likeness', part) }} as likeness_to_segment
    on
        pairs.cutoff_date = likeness_to_segment.cutoff_date
        and users.segment = likeness_to_segment.segment
        and pairs.coupon_id = likeness_to_segment.coupon_id
{%- for attribute, mart in attributes().items() %}
left join {{ of_part(mart, part, only_users) }} as {{ mart | replace('feature_', '') }}
    on
        pairs.cutoff_date = {{ mart | replace('feature_', '') }}.cutoff_date
        and pairs.user_id = {{ mart | replace('feature_', '') }}.user_id
        and coupons.{{ attribute }}
        = {{ mart | replace('feature_', '') }}.{{ attribute }}
{%- endfor %}
left join {{ ref('int_prefecture_distances') }} as distances
    on
        places.working_prefecture = distances.user_prefecture
        and coupons.prefecture = distances.coupon_prefecture
{%- if newcomers %}
left join {{ ref('feature_distance_shares') }} as user_distances
    on
        pairs.cutoff_date = user_distances.cutoff_date
        and distances.distance_bin = user_distances.distance_bin
{%- else %}
left join {{ of_part('feature_user_distances', part, only_users) }} as user_distances
    on
        pairs.cutoff_date = user_distances.cutoff_date
        and pairs.user_id = user_distances.user_id
        and distances.distance_bin = user_distances.distance_bin
{%- endif %}
left join {{ of_part('feature_user_usability', part, only_users) }} as user_usability
    on
        pairs.cutoff_date = user_usability.cutoff_date
        and pairs.user_id = user_usability.user_id
        and exposure.usability_pattern = user_usability.usability_pattern
left join {{ of_part('feature_user_competition_views', part, only_users) }} as competition_views
    on
        pairs.cutoff_date = competition_views.cutoff_date
        and pairs.user_id = competition_views.user_id
        and coupons.genre = competition_views.genre
        and coupons.prefecture = competition_views.prefecture
left join {{ of_part('feature_user_coupon_views', part, only_users) }} as coupon_views
    on
        pairs.cutoff_date = coupon_views.cutoff_date
        and pairs.user_id = coupon_views.user_id
        and pairs.coupon_id = coupon_views.coupon_id
{%- if not newcomers %}
left join (
    {{ likenesses_of_pairs(pairs if sample else none, part, only_users) }}
) as likenesses
    on
        pairs.cutoff_date = likenesses.cutoff_date
        and pairs.user_id = likenesses.user_id
        and pairs.coupon_id = likenesses.coupon_id
{%- endif %}
left join {{ ref('int_coupon_prefectures') }} as listed
    on
        pairs.coupon_id = listed.coupon_id
        and places.working_prefecture = listed.prefecture
{%- endmacro %}
