-- Tokyo to Osaka is about 400 km as the crow flies
select
    here.user_prefecture,
    here.coupon_prefecture,
    here.distance_km
from {{ ref('int_prefecture_distances') }} as here
inner join {{ ref('int_prefecture_distances') }} as back
    on
        here.user_prefecture = back.coupon_prefecture
        and here.coupon_prefecture = back.user_prefecture
where
    abs(here.distance_km - back.distance_km) > 1e-6
    or (here.user_prefecture = here.coupon_prefecture)
    != (here.distance_km = 0)
    or (
        here.user_prefecture = 'tokyo'
        and here.coupon_prefecture = 'osaka'
        and here.distance_km not between 390 and 410
    )
