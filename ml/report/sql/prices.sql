-- grain: one row per price band
with edges as (
    select
        unnest([0, 101, 301, 501, 1001, 2001, 3001, 5001, 10001, 20001]) as low_yen,
        unnest([100, 300, 500, 1000, 2000, 3000, 5000, 10000, 20000, null])
            as high_yen
),

middle as (
    select median(discount_price_yen) as median_yen
    from core.dim_coupons
)

select
    edges.low_yen,
    edges.high_yen,
    count(coupons.discount_price_yen) as n_coupons,
    any_value(middle.median_yen) as median_yen
from edges
cross join middle
left join core.dim_coupons as coupons
    on
        coupons.discount_price_yen >= edges.low_yen
        and coupons.discount_price_yen <= coalesce(edges.high_yen, 1000000000)
group by edges.low_yen, edges.high_yen
order by edges.low_yen
