-- grain: one row per coupon of either coupon list
with coupons as (
    select * from {{ ref('int_coupons') }}
)

select
    coupons.coupon_id,
    coupons.coupon_hash,
    coupons.shop_key_id,
    coupons.genre,
    coupons.genre_ja,
    genres.genre_en,
    genres.genre_ko,
    coupons.capsule,
    coupons.capsule_text as capsule_ja,
    capsules.capsule_en,
    capsules.capsule_ko,
    coupons.large_area,
    coupons.large_area_ja,
    large_areas.large_area_en,
    large_areas.large_area_ko,
    coupons.prefecture,
    coupons.prefecture_ja,
    prefectures.prefecture_en,
    prefectures.prefecture_ko,
    coupons.small_area,
    coupons.small_area_ja,
    small_areas.small_area_en,
    small_areas.small_area_ko,
    coupons.catalog_price_yen,
    coupons.discount_price_yen,
    coupons.discount_rate_percent,
    concat(
        coupons.genre, ', ', {{ price_band('coupons.discount_price_yen') }}
    ) as genre_price_band,
    coupons.display_days,
    coupons.valid_days,
    {% for day in usability_days() -%}
    case coupons.{{ day.name }}_code
        when 1 then 'usable'
        when 2 then 'conditional'
        when 0 then 'not_usable'
        else 'no_day_rule'
    end as usable_on_{{ day.name }},
    {% endfor -%}
    {{ usability_pattern('coupons') }} as usability_pattern,
    coupons.is_test_list,
    coupons.is_translated,
    coupons.contradiction,
    coupons.valid_from_date,
    coupons.valid_until_date,
    coupons.release_week_date,
    coupons.sale_start_at,
    coupons.sale_end_at
from coupons
left join {{ ref('genres') }} as genres on coupons.genre = genres.genre
left join {{ ref('capsules') }} as capsules
    on coupons.capsule = capsules.capsule
left join {{ ref('large_areas') }} as large_areas
    on coupons.large_area = large_areas.large_area
left join {{ ref('prefectures') }} as prefectures
    on coupons.prefecture = prefectures.prefecture
left join {{ ref('small_areas') }} as small_areas
    on coupons.small_area = small_areas.small_area
