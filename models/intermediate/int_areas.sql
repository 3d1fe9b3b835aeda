-- grain: one row per small area that the seeds or the files know
with seed as (
    select
        small_area_ja,
        small_area,
        prefecture
    from {{ ref('small_areas') }}
),

in_files as (
    select
        small_area_ja,
        prefecture_ja
    from {{ ref('stg_coupons_train') }}
    union distinct
    select
        small_area_ja,
        prefecture_ja
    from {{ ref('stg_coupons_test') }}
    union distinct
    select
        small_area_ja,
        prefecture_ja
    from {{ ref('stg_coupon_areas_train') }}
    union distinct
    select
        small_area_ja,
        prefecture_ja
    from {{ ref('stg_coupon_areas_test') }}
    union distinct
    select
        small_area_ja,
        null as prefecture_ja
    from {{ ref('stg_purchases') }}
),

unknown as (
    select
        in_files.small_area_ja,
        min(coalesce(prefectures.prefecture, in_files.prefecture_ja))
            as prefecture
    from in_files
    left join {{ ref('prefectures') }} as prefectures
        on in_files.prefecture_ja = prefectures.prefecture_ja
    left join seed on in_files.small_area_ja = seed.small_area_ja
    where in_files.small_area_ja is not null and seed.small_area_ja is null
    group by in_files.small_area_ja
),

areas as (
    select
        small_area_ja,
        small_area,
        prefecture,
        true as is_known
    from seed
    union all
    select
        small_area_ja,
        small_area_ja as small_area,
        prefecture,
        false as is_known
    from unknown
)

select * from areas
