-- grain: one row per purchase
select
    purchases.purchase_hash,
    users.user_id,
    coupons.coupon_id,
    coalesce(areas.small_area, purchases.small_area_ja) as small_area,
    purchases.item_count,
    listed.discount_price_yen as unit_price_yen,
    cast(purchases.item_count as bigint) * listed.discount_price_yen
        as spend_yen,
    registered.user_id is not null as is_listed_user,
    listed.coupon_id is not null as is_listed_coupon,
    purchases.purchased_at > listed.sale_start_at
    and purchases.purchased_at <= listed.sale_end_at as is_within_sale,
    cast(purchases.purchased_at as date) as purchase_date,
    purchases.purchased_at
from {{ ref('stg_purchases') }} as purchases
inner join {{ ref('int_user_keys') }} as users
    on purchases.user_hash = users.user_hash
inner join {{ ref('int_coupon_keys') }} as coupons
    on purchases.coupon_hash = coupons.coupon_hash
left join {{ ref('dim_users') }} as registered
    on users.user_id = registered.user_id
left join {{ ref('dim_coupons') }} as listed
    on coupons.coupon_id = listed.coupon_id
left join {{ ref('int_areas') }} as areas
    on purchases.small_area_ja = areas.small_area_ja
