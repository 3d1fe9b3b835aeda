-- question: what is bought where, how steadily, and in which week most?
--
-- On the competition's files (50 full weeks up to 2012-06-16, see the README) Kanto
-- takes 60 % of the purchases with 49 % of the coupons, Kansai 18 % with 18 %; the
-- other seven areas have fewer purchases than coupons in proportion. (Published counts
-- of the whole year say 59.6 and 18.3 %.) The mix differs by area: delivered goods are
-- a third in Kanto and 44 to 63 % in Shikoku, Hokkaido and Tohoku; hotels are 46 % in
-- Hokushinetsu, 29 % in Kyushu, 5 % in Kanto. Gift cards are bought in Kanto (90 % of
-- them), lessons too (78 %), but a coupon's area is that of its seller: for goods that
-- are sent it says little about the buyer, see `buyer_distances`. Steady are hotels and
-- delivered goods, of which something is bought in nearly every week in eight of nine
-- areas; of the 100 pairs 44 have a median week without a purchase.

with coupons as (
    select * from {{ ref('dim_coupons') }}
),

purchases as (
    select
        coupon_id,
        purchase_date,
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
    select calendar.week_start_date
    from {{ ref('dim_calendar') }} as calendar
    inner join period
        on calendar.calendar_date between period.first_date and period.last_date
    group by calendar.week_start_date
    having count(*) = 7
),

offered as (
    select
        coupons.genre,
        coupons.large_area,
        count(*) as n_coupons
    from coupons
    inner join period
        on cast(coupons.sale_start_at as date) <= period.last_date
    group by coupons.genre, coupons.large_area
),

sold as (
    select
        coupons.genre,
        coupons.large_area,
        weeks.week_start_date,
        count(*) as n_purchases
    from purchases
    inner join coupons on purchases.coupon_id = coupons.coupon_id
    inner join weeks on purchases.week_start_date = weeks.week_start_date
    group by coupons.genre, coupons.large_area, weeks.week_start_date
),

in_weeks as (
    select
        offered.genre,
        offered.large_area,
        offered.n_coupons,
        weeks.week_start_date,
        coalesce(sold.n_purchases, 0) as n_purchases
    from offered
    cross join weeks
    left join sold
        on offered.genre = sold.genre
            and offered.large_area = sold.large_area
            and weeks.week_start_date = sold.week_start_date
),

ranked as (
    select
        *,
        row_number() over (
            partition by genre, large_area
            order by n_purchases desc, week_start_date asc
        ) as busy_rank
    from in_weeks
),

genre_areas as (
    select
        genre,
        large_area,
        max(n_coupons) as n_coupons,
        sum(n_purchases) as n_purchases,
        count(case when n_purchases > 0 then 1 end) as n_weeks_with_purchases,
        {{ median('n_purchases') }} as median_week_purchases,
        max(n_purchases) as busiest_week_purchases,
        max(case when busy_rank = 1 and n_purchases > 0 then week_start_date end)
            as busiest_week_date
    from ranked
    group by genre, large_area
)

select
    genre,
    large_area,
    n_coupons,
    n_purchases,
    round(1.0 * n_purchases / n_coupons, 2) as purchases_per_coupon,
    round(
        100.0 * n_purchases
        / nullif(sum(n_purchases) over (partition by genre), 0),
        1
    ) as percent_of_genre,
    round(
        100.0 * n_purchases
        / nullif(sum(n_purchases) over (partition by large_area), 0),
        1
    ) as percent_of_area,
    n_weeks_with_purchases,
    median_week_purchases,
    busiest_week_date,
    busiest_week_purchases
from genre_areas
order by genre asc, n_purchases desc, large_area asc
