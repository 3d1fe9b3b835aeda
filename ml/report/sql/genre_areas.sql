-- grain: one row per genre and large area that sold something
select
    coupons.genre_en,
    coupons.genre_ko,
    coupons.large_area_en,
    coupons.large_area_ko,
    count(*) as n_purchases
from core.fct_purchases as purchases
inner join core.dim_coupons as coupons
    on purchases.coupon_id = coupons.coupon_id
where coupons.large_area_en is not null and coupons.genre_en is not null
group by all
order by n_purchases desc, coupons.genre_en asc, coupons.large_area_en asc
