-- grain: one row per listed coupon and small area in which it is listed
with listed as (
    select
        coupon_hash,
        small_area_ja
    from {{ ref('stg_coupon_areas_train') }}
    union distinct
    select
        coupon_hash,
        small_area_ja
    from {{ ref('stg_coupon_areas_test') }}
)

select
    coupons.coupon_id,
    coalesce(areas.small_area, listed.small_area_ja) as small_area,
    areas.prefecture,
    areas.small_area = coupons.small_area as is_shop_area
from listed
inner join {{ ref('dim_coupons') }} as coupons
    on listed.coupon_hash = coupons.coupon_hash
left join {{ ref('dim_areas') }} as areas
    on listed.small_area_ja = areas.small_area_ja
