-- grain: one row per coupon of either list
with listed as (
    select
        *,
        false as is_test_list
    from {{ ref('stg_coupons_train') }}
    union all
    select
        *,
        true as is_test_list
    from {{ ref('stg_coupons_test') }}
),

spelling as (
    select
        variant_ja,
        canonical_ja
    from {{ ref('spelling_variants') }}
    where column_name = 'capsule_text'
),

translated as (
    select
        keys.coupon_id,
        listed.*,
        coalesce(spelling.canonical_ja, listed.capsule_ja) as capsule_text,
        coalesce(capsules.capsule, listed.capsule_ja) as capsule,
        coalesce(genres.genre, listed.genre_ja) as genre,
        coalesce(large_areas.large_area, listed.large_area_ja) as large_area,
        coalesce(prefectures.prefecture, listed.prefecture_ja) as prefecture,
        coalesce(areas.small_area, listed.small_area_ja) as small_area,
        capsules.capsule is not null
        and genres.genre is not null
        and large_areas.large_area is not null
        and prefectures.prefecture is not null
        and coalesce(areas.is_known, false) as is_translated
    from listed
    inner join {{ ref('int_coupon_keys') }} as keys
        on listed.coupon_hash = keys.coupon_hash
    left join spelling on listed.capsule_ja = spelling.variant_ja
    left join {{ ref('capsules') }} as capsules
        on coalesce(spelling.canonical_ja, listed.capsule_ja)
            = capsules.capsule_ja
    left join {{ ref('genres') }} as genres
        on listed.genre_ja = genres.genre_ja
    left join {{ ref('large_areas') }} as large_areas
        on listed.large_area_ja = large_areas.large_area_ja
    left join {{ ref('prefectures') }} as prefectures
        on listed.prefecture_ja = prefectures.prefecture_ja
    left join {{ ref('int_areas') }} as areas
        on listed.small_area_ja = areas.small_area_ja
),

keyed as (
    select
        *,
        {{ sunday_of('sale_start_at') }} as release_week_date,
        -- the key of the issue first seen, which later ones leave as it is
        min(coupon_id) over (
            partition by catalog_price_yen, discount_price_yen, small_area, genre
        ) as shop_key_id
    from translated
)

select * from keyed
