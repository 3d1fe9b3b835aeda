-- grain: one row per prefecture
with sold as (
    select
        coupons.prefecture,
        count(*) as n_purchases
    from core.fct_purchases as purchases
    inner join core.dim_coupons as coupons
        on purchases.coupon_id = coupons.coupon_id
    group by coupons.prefecture
),

residents as (
    select
        prefecture,
        count(*) as n_users
    from core.dim_users
    group by prefecture
)

select
    places.prefecture_en,
    places.prefecture_ko,
    places.latitude,
    places.longitude,
    coalesce(sold.n_purchases, 0) as n_purchases,
    coalesce(residents.n_users, 0) as n_users
from seeds.prefectures as places
left join sold
    on places.prefecture = sold.prefecture
left join residents
    on places.prefecture = residents.prefecture
order by n_purchases desc, places.prefecture_en asc
