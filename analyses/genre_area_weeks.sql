-- question: how many coupons are released and bought by genre, large area and week?
--
-- This is the cube behind `genre_area_patterns`: read a line of it as a time series. On
-- the competition's files (purchases up to 2012-06-16, see the README) 100 of the 117
-- pairs of genre and large area exist, and in 42 % of their weeks nothing was bought:
-- for many pairs the week is too short a unit. Outside Kanto and Kansai hair, nail,
-- spa, relaxation and lessons sell nothing in more than half of their weeks. What moves
-- from week to week is the offer more than the taste. Delivery, food and hotels
-- are steady: their busiest week is 1.5 to 1.7 times their median one. Gift cards (11
--   times) and `other` (10 times) live of single campaigns: gift cards in July and
--   August 2011, `other` with a 100-yen coupon in October and November 2011 and with
--   free ones in May and June 2012. Hotels take 12 to 13 % of the purchases in December
--   and March, before the holidays and at the end of the business year, 6 to 8 % in
--   July and June.
--
-- Weeks begin on Sunday; the first and the last may be short (`is_full_week`). Weeks
-- without a purchase are rows with a 0.

with coupons as (
    select * from {{ ref('dim_coupons') }}
),

purchases as (
    select
        coupon_id,
        purchase_date,
        spend_yen,
        {{ sunday_of('purchase_date') }} as week_start_date
    from {{ ref('fct_purchases') }}
    where is_listed_coupon
),

period as (
    select
        min(purchase_date) as first_date,
        max(purchase_date) as last_date
    from purchases
),

weeks as (
    select
        calendar.week_start_date,
        count(*) = 7 as is_full_week
    from {{ ref('dim_calendar') }} as calendar
    inner join period
        on calendar.calendar_date between period.first_date and period.last_date
    group by calendar.week_start_date
),

pairs as (
    select distinct
        genre,
        large_area
    from coupons
),

released as (
    select
        genre,
        large_area,
        release_week_date,
        count(*) as n_released
    from coupons
    group by genre, large_area, release_week_date
),

bought as (
    select
        coupons.genre,
        coupons.large_area,
        purchases.week_start_date,
        count(*) as n_purchases,
        sum(purchases.spend_yen) as spend_yen
    from purchases
    inner join coupons on purchases.coupon_id = coupons.coupon_id
    group by coupons.genre, coupons.large_area, purchases.week_start_date
),

genre_area_weeks as (
    select
        pairs.genre,
        pairs.large_area,
        weeks.week_start_date,
        weeks.is_full_week,
        coalesce(released.n_released, 0) as n_released,
        coalesce(bought.n_purchases, 0) as n_purchases,
        coalesce(bought.spend_yen, 0) as spend_yen
    from pairs
    cross join weeks
    left join released
        on pairs.genre = released.genre
            and pairs.large_area = released.large_area
            and weeks.week_start_date = released.release_week_date
    left join bought
        on pairs.genre = bought.genre
            and pairs.large_area = bought.large_area
            and weeks.week_start_date = bought.week_start_date
)

select
    genre,
    large_area,
    week_start_date,
    is_full_week,
    n_released,
    n_purchases,
    spend_yen,
    round(
        100.0 * n_purchases
        / nullif(sum(n_purchases) over (partition by week_start_date), 0),
        2
    ) as percent_of_week
from genre_area_weeks
order by genre, large_area, week_start_date
