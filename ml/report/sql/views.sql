-- grain: one row per genre of coupons that were looked at
with looked_at as (
    select
        user_id,
        coupon_id,
        bool_or(is_purchase) as is_bought
    from core.fct_visits
    where is_listed_user and is_listed_coupon
    group by user_id, coupon_id
)

select
    coupons.genre_en,
    coupons.genre_ko,
    count(*) as n_viewed_pairs,
    count(*) filter (where looked_at.is_bought) as n_bought_pairs,
    count(*) filter (where looked_at.is_bought) / count(*) as bought_share
from looked_at
inner join core.dim_coupons as coupons
    on looked_at.coupon_id = coupons.coupon_id
where coupons.genre_en is not null
group by coupons.genre_en, coupons.genre_ko
order by bought_share desc, coupons.genre_en asc
