-- rate = floor(100 * (1 - price / list price)), written without division
select
    coupon_id,
    catalog_price_yen,
    discount_price_yen,
    discount_rate_percent
from {{ ref('dim_coupons') }}
where
    contradiction is null
    and catalog_price_yen > 0
    and (
        100 * (catalog_price_yen - discount_price_yen)
        < discount_rate_percent * catalog_price_yen
        or 100 * (catalog_price_yen - discount_price_yen)
        >= (discount_rate_percent + 1) * catalog_price_yen
    )
