-- question: how far from home do people buy, by genre?
--
-- On the competition's files (purchases up to 2012-06-16, see the README) by users with
-- a prefecture, 31 % of the purchases are of a shop in their own (published: 30.9 %)
-- and half lie within 50 km. Genres are of three kinds: used on the spot, travelled to,
-- and sent.
--
-- on the spot: hair 74 %, beauty and nail 68 to 70 %, spa, relaxation and food 62 to
--   66 % in the own prefecture, about nine in ten or more within 50 km.
-- day trips and travel: leisure 48 % and 77 % within 100 km; hotels 22 %, 50 % within
--   100 km, 80 % within 250: people leave their prefecture, but not by far. At random
--   13 and 33 % of the hotels would lie so near.
-- by post: delivery is bought as if the place did not matter (12 % at home, 10 % at
--   random; 62 % beyond 250 km, 63 % at random), `other` nearly so; gift cards and
--   lessons lie in between.
--
-- The distance is between the seats of the prefectures, not between home and shop.
-- Users without a prefecture (22 % of the purchases) are in the row `unknown`.

with coupons as (
    select * from {{ ref('dim_coupons') }}
),

distances as (
    select * from {{ ref('int_prefecture_distances') }}
),

purchases as (
    select
        coupons.genre,
        users.prefecture as user_prefecture,
        coupons.prefecture as coupon_prefecture
    from {{ ref('fct_purchases') }} as purchases
    inner join coupons on purchases.coupon_id = coupons.coupon_id
    inner join {{ ref('dim_users') }} as users
        on purchases.user_id = users.user_id
),

bands as (
    select
        distance_bin,
        min(distance_km) as nearest_km
    from distances
    group by distance_bin
),

genres as (
    select distinct genre from coupons
),

bought as (
    select
        purchases.genre,
        coalesce(distances.distance_bin, 'unknown') as distance_bin,
        count(*) as n_purchases
    from purchases
    left join distances
        on purchases.user_prefecture = distances.user_prefecture
            and purchases.coupon_prefecture = distances.coupon_prefecture
    group by purchases.genre, coalesce(distances.distance_bin, 'unknown')
),

-- what the same buyers would buy of the genre if the place did not matter
demand as (
    select
        genre,
        user_prefecture,
        count(*) as n_purchases
    from purchases
    where user_prefecture is not null
    group by genre, user_prefecture
),

supply as (
    select
        genre,
        prefecture,
        count(*) as n_coupons
    from coupons
    where prefecture is not null
    group by genre, prefecture
),

at_random as (
    select
        demand.genre,
        distances.distance_bin,
        sum(demand.n_purchases * supply.n_coupons) as n_pairs
    from demand
    inner join supply on demand.genre = supply.genre
    inner join distances
        on demand.user_prefecture = distances.user_prefecture
            and supply.prefecture = distances.coupon_prefecture
    group by demand.genre, distances.distance_bin
),

rows_wanted as (
    select
        genres.genre,
        bands.distance_bin,
        bands.nearest_km
    from genres
    cross join bands
    union all
    select
        genre,
        'unknown' as distance_bin,
        null as nearest_km
    from genres
),

buyer_distances as (
    select
        rows_wanted.genre,
        rows_wanted.distance_bin,
        rows_wanted.nearest_km,
        coalesce(bought.n_purchases, 0) as n_purchases,
        case
            when rows_wanted.nearest_km is not null
                then coalesce(bought.n_purchases, 0)
        end as n_known,
        case
            when rows_wanted.nearest_km is not null then coalesce(at_random.n_pairs, 0)
        end as n_pairs
    from rows_wanted
    left join bought
        on rows_wanted.genre = bought.genre
            and rows_wanted.distance_bin = bought.distance_bin
    left join at_random
        on rows_wanted.genre = at_random.genre
            and rows_wanted.distance_bin = at_random.distance_bin
)

select
    genre,
    distance_bin,
    n_purchases,
    round(
        100.0 * n_known / nullif(sum(n_known) over (partition by genre), 0), 1
    ) as percent_of_known,
    round(
        100.0 * sum(n_known) over (
            partition by genre
            order by nearest_km nulls last
            rows between unbounded preceding and current row
        ) / nullif(sum(n_known) over (partition by genre), 0)
        * case when nearest_km is not null then 1 end,
        1
    ) as cumulative_percent,
    round(
        100.0 * n_pairs / nullif(sum(n_pairs) over (partition by genre), 0), 1
    ) as percent_at_random
from buyer_distances
order by genre, nearest_km nulls last
