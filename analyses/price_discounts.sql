-- question: how does the discount go with the price, and does a deeper one sell more?
--
-- On the competition's files (purchases up to 2012-06-16, see the README) a deeper
-- discount starts from a higher list price and ends at about the same price: the median
-- list price rises from 5,200 yen at 50 % to 18,900 above 80 %, the median price stays
-- between 2,480 and 2,980 (correlation of discount and list price .28, of discount and
-- price -.04: as published). So the discount says how dear the thing was said to be,
-- not how cheap it is. Purchases of a coupon rise from 7 at 50 % to 21 above 80 %, but
-- that is the work of the coupons at or below 100 yen. Without them it is 7 to 9, and
-- the median coupon sells 3 in every band from 50 % on. Within genres a deeper discount
-- does sell more: from 50 % to 71-80 % food rises from 9 to 17 purchases, hotels from 3
-- to 14, and to above 80 % delivered goods from 8 to 17, hair salons from 2 to 5. The
-- price matters more: 15 to 22 purchases of a coupon of 101 to 1,000 yen, 4 to 5 of one
-- of 3,001 to 5,000 yen.
--
-- Shown for all coupons, for those above 100 yen, by genre (above 100 yen) and by
-- price.

with purchases as (
    select * from {{ ref('fct_purchases') }}
    where is_listed_coupon
),

bought as (
    select
        coupon_id,
        count(*) as n_purchases
    from purchases
    group by coupon_id
),

period as (
    select max(purchased_at) as last_purchased_at
    from purchases
),

-- only what could be bought while purchases were recorded
coupons as (
    select
        coupons.genre,
        {{ price_band('coupons.discount_price_yen') }} as price_band,
        coupons.catalog_price_yen,
        coupons.discount_price_yen,
        coupons.discount_rate_percent,
        coalesce(bought.n_purchases, 0) as n_purchases
    from {{ ref('dim_coupons') }} as coupons
    inner join period on coupons.sale_start_at <= period.last_purchased_at
    left join bought on coupons.coupon_id = bought.coupon_id
),

banded as (
    {% for split_by, group_name, condition in [
        ('all', "'all coupons'", 'true'),
        ('all', "'above 100 yen'", 'discount_price_yen > 100'),
        ('genre', 'genre', 'discount_price_yen > 100'),
        ('price', 'price_band', 'true'),
    ] -%}
    select
        '{{ split_by }}' as split_by,
        {{ group_name }} as group_name,
        case
            when discount_rate_percent is null then 'unknown'
            when discount_rate_percent < 50 then '0-49'
            when discount_rate_percent = 50 then '50'
            when discount_rate_percent <= 60 then '51-60'
            when discount_rate_percent <= 70 then '61-70'
            when discount_rate_percent <= 80 then '71-80'
            else '81-100'
        end as discount_band,
        catalog_price_yen,
        discount_price_yen,
        n_purchases
    from coupons
    where {{ condition }}
    {%- if not loop.last %}
    union all
    {% endif -%}
    {%- endfor %}
),

price_discounts as (
    select
        split_by,
        group_name,
        discount_band,
        count(*) as n_coupons,
        {{ median('catalog_price_yen') }} as median_list_price_yen,
        {{ median('discount_price_yen') }} as median_price_yen,
        sum(n_purchases) as n_purchases,
        {{ median('n_purchases') }} as median_purchases,
        min(discount_price_yen) as lowest_price_yen
    from banded
    group by split_by, group_name, discount_band
)

select
    split_by,
    group_name,
    discount_band,
    n_coupons,
    round(
        100.0 * n_coupons / sum(n_coupons) over (partition by split_by, group_name), 1
    ) as percent_of_group,
    median_list_price_yen,
    median_price_yen,
    n_purchases,
    round(1.0 * n_purchases / n_coupons, 2) as purchases_per_coupon,
    median_purchases
from price_discounts
order by
    split_by,
    min(lowest_price_yen) over (partition by split_by, group_name),
    group_name,
    discount_band
