-- question: how are prices, discounts, periods, ages and purchase counts distributed?
--
-- On the competition's files (purchases up to 2012-06-16, see the README) prices,
-- purchases of a user and purchases of a coupon are long to the right: a few values lie
-- far above the rest. Hence bands, medians and shares instead of means.
--
-- prices: half of the coupons cost 1,560 to 4,800 yen (median 2,750), 8 % more than
--   10,000; list prices reach 680,000.
-- discounts: a floor of 50 % with few exceptions (0.6 % are below), 39 % at exactly 50,
--   six in ten of the rest between 51 and 65.
-- days on sale: two to four for 83 % of the coupons; above seven days 32 coupons.
-- days valid: 32 % have no period; of the others a fourth lies at 176 to 179 days,
--   right below a cap of 180.
-- ages: 20 to 59 for 90 %, most in their thirties and forties.
-- purchases of a user: 27 % one, 60 % at most four, 4 % 30 or more: the median buyer
--   has 3, the mean is 7.3.
-- purchases of a coupon: a fourth sold once, 61 % at most four times, 2 % 50 times or
--   more; the one coupon in a hundred that sells most makes 24 % of all purchases.
-- pieces: 73 % of the purchases are of one piece.
--
-- Bands are of whole numbers, both ends included; `no value` counts nulls.
{%- set measures = [
    ('list price, yen', 'catalog_price_yen', 'coupons',
        [0, 2, 1000, 2000, 3000, 5000, 10000, 20000, 50000, 100000]),
    ('price, yen', 'discount_price_yen', 'coupons',
        [0, 1, 100, 101, 1001, 2001, 3001, 5001, 10001, 20001]),
    ('discount, percent', 'discount_rate_percent', 'coupons',
        [0, 1, 50, 51, 56, 61, 66, 71, 76, 81, 91, 100]),
    ('days on sale', 'display_days', 'coupons', [0, 1, 2, 3, 4, 5, 6, 7, 8, 15, 21]),
    ('days valid', 'valid_days', 'coupons', [0, 1, 31, 61, 91, 121, 151, 176, 180]),
    ('age of a user, years', 'age', 'users', [0, 18, 20, 30, 40, 50, 60, 70, 80]),
    ('purchases of a user', 'n_purchases', 'bought_by_users',
        [0, 1, 2, 3, 5, 8, 12, 20, 30, 50]),
    ('purchases of a coupon', 'n_purchases', 'bought_of_coupons',
        [0, 1, 2, 3, 5, 10, 20, 50, 100, 500]),
    ('pieces in a purchase', 'item_count', 'purchases', [1, 2, 3, 5, 10, 50]),
] %}

with coupons as (
    select * from {{ ref('dim_coupons') }}
),

users as (
    select * from {{ ref('dim_users') }}
),

purchases as (
    select * from {{ ref('fct_purchases') }}
),

bought_by_users as (
    select
        users.user_id,
        count(purchases.purchase_hash) as n_purchases
    from users
    left join purchases on users.user_id = purchases.user_id
    group by users.user_id
),

period as (
    select max(purchased_at) as last_purchased_at
    from purchases
),

-- only what could be bought while purchases were recorded
bought_of_coupons as (
    select
        coupons.coupon_id,
        count(purchases.purchase_hash) as n_purchases
    from coupons
    inner join period on coupons.sale_start_at <= period.last_purchased_at
    left join purchases on coupons.coupon_id = purchases.coupon_id
    group by coupons.coupon_id
),

bands as (
    {% for name, column, relation, bounds in measures -%}
    {%- set position = loop -%}
    {%- for low in bounds -%}
    {%- set high = none if loop.last else loop.nextitem - 1 -%}
    select
        {{ position.index }} as position,
        '{{ name }}' as measure,
        {{ low }} as low_value,
        {{ 'cast(null as integer)' if high is none else high }} as high_value
    union all
    {% endfor -%}
    select
        {{ position.index }} as position,
        '{{ name }}' as measure,
        null as low_value,
        null as high_value
    {%- if not loop.last %}
    union all
    {% endif -%}
    {%- endfor %}
),

counted as (
    {% for name, column, relation, bounds in measures -%}
    select
        {{ loop.index }} as position,
        {{ column }} as value,
        count(*) as n
    from {{ relation }}
    group by {{ column }}
    {%- if not loop.last %}
    union all
    {% endif -%}
    {%- endfor %}
),

distributions as (
    select
        bands.position,
        bands.measure,
        bands.low_value,
        bands.high_value,
        coalesce(sum(counted.n), 0) as n
    from bands
    left join counted
        on bands.position = counted.position
            and (
                (
                    counted.value >= bands.low_value
                    and (counted.value <= bands.high_value or bands.high_value is null)
                )
                or (counted.value is null and bands.low_value is null)
            )
    group by bands.position, bands.measure, bands.low_value, bands.high_value
)

select
    measure,
    case
        when low_value is null then 'no value'
        when high_value is null then concat(low_value, ' or more')
        when low_value = high_value then cast(low_value as {{ dbt.type_string() }})
        else concat(low_value, '-', high_value)
    end as band,
    n,
    round(100.0 * n / nullif(sum(n) over (partition by position), 0), 2)
        as percent_of_measure,
    round(
        100.0 * sum(n) over (
            partition by position
            order by low_value nulls last
            rows between unbounded preceding and current row
        ) / nullif(sum(n) over (partition by position), 0),
        2
    ) as cumulative_percent
from distributions
order by position, low_value nulls last
