-- grain: one row per coupon, at most 600 of them, drawn by their hashes
with coupons as (
    select
        coupon_hash,
        genre_en,
        genre_ko,
        discount_price_yen,
        discount_rate_percent,
        corr(discount_rate_percent, ln(discount_price_yen)) over ()
            as price_correlation,
        row_number() over (order by coupon_hash) as place
    from core.dim_coupons
    where discount_price_yen > 0 and discount_rate_percent is not null
)

select
    genre_en,
    genre_ko,
    discount_price_yen,
    discount_rate_percent,
    round(price_correlation, 4) as price_correlation
from coupons
where place <= 600
order by place
