-- grain: one row per ordered pair of prefectures
with places as (
    select
        seed.prefecture,
        -- degrees as radians
        coalesce(located.latitude, seed.latitude) * (acos(-1) / 180) as latitude,
        coalesce(located.longitude, seed.longitude) * (acos(-1) / 180)
            as longitude
    from {{ ref('prefectures') }} as seed
    left join {{ ref('stg_prefecture_locations') }} as located
        on seed.prefecture_ja = located.prefecture_ja
),

pairs as (
    select
        here.prefecture as user_prefecture,
        there.prefecture as coupon_prefecture,
        power(sin((there.latitude - here.latitude) / 2), 2)
        + cos(here.latitude) * cos(there.latitude)
        * power(sin((there.longitude - here.longitude) / 2), 2)
            as haversine
    from places as here
    cross join places as there
),

distances as (
    select
        user_prefecture,
        coupon_prefecture,
        -- mean radius of the earth in km
        2 * 6371.0088 * asin(sqrt(haversine)) as distance_km
    from pairs
),

prefecture_distances as (
    select
        user_prefecture,
        coupon_prefecture,
        distance_km,
        {{ distance_bin('distance_km') }} as distance_bin,
        cast(row_number() over (
            partition by user_prefecture
            order by
                distance_km,
                user_prefecture != coupon_prefecture,
                coupon_prefecture
        ) as integer) as nearness_rank,
        distance_km < 100 and user_prefecture != coupon_prefecture as is_near
    from distances
)

select * from prefecture_distances
