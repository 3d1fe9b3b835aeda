-- areas of coupons in no list are left out on purpose; no other row may be lost
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

select listed.*
from listed
inner join {{ ref('dim_coupons') }} as coupons
    on listed.coupon_hash = coupons.coupon_hash
inner join {{ ref('dim_areas') }} as areas
    on listed.small_area_ja = areas.small_area_ja
left join {{ ref('bridge_coupon_areas') }} as bridge
    on
        coupons.coupon_id = bridge.coupon_id
        and areas.small_area = bridge.small_area
where bridge.coupon_id is null
