-- question: which prices and sale periods are odd, and how much is bought at them?
--
-- On the competition's files they are few coupons with many purchases. The 9 free
-- coupons and the 105 of exactly 100 yen are half a percent of the list, get one
-- purchase in eight, and half of all users bought one: a week that holds one looks like
-- no other, so results are shown with and without coupons at or below 100 yen. A
-- discount of 100 % is the same as free; 8 of the 9 free coupons carry a list price of
-- 1 yen, so their saving of one yen is no price at all. A discount of 0 % (23 coupons)
-- is a sale at list price, nearly all delivered goods: nothing says that it is an
-- error. Two coupons are on sale for more than 20 days, where most are for two to four.
-- None of them is removed: the warehouse keeps what the shop sold, the analysis says
-- what to leave out.
with coupons as (
    select * from {{ ref('dim_coupons') }}
),

coupon_groups as (
    {% for name, condition in [
        ('all coupons', 'true'),
        ('discount rate of 0', 'discount_rate_percent = 0'),
        ('discount rate of 100', 'discount_rate_percent = 100'),
        ('free', 'discount_price_yen = 0'),
        ('1 to 99 yen', 'discount_price_yen between 1 and 99'),
        ('100 yen', 'discount_price_yen = 100'),
        ('list price of 1 yen or less', 'catalog_price_yen <= 1'),
        ('saving of one yen', 'catalog_price_yen - discount_price_yen = 1'),
        ('on sale for more than 20 days', 'display_days > 20'),
    ] -%}
    select
        {{ loop.index }} as position,
        '{{ name }}' as group_name,
        coupon_id,
        {{ condition }} as is_member,
        genre,
        catalog_price_yen,
        discount_price_yen,
        display_days
    from coupons
    {%- if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
),

members as (
    select * from coupon_groups
    where is_member
),

purchases as (
    select * from {{ ref('fct_purchases') }}
    where is_listed_coupon
),

bought as (
    select
        members.position,
        count(*) as n_purchases,
        count(distinct purchases.user_id) as n_buyers
    from members
    inner join purchases on members.coupon_id = purchases.coupon_id
    group by members.position
),

described as (
    select
        position,
        group_name,
        count(case when is_member then 1 end) as n_coupons,
        count(case when is_member and genre = 'delivery' then 1 end)
            as n_delivery_coupons,
        min(case when is_member then catalog_price_yen end) as min_catalog_price_yen,
        max(case when is_member then catalog_price_yen end) as max_catalog_price_yen,
        min(case when is_member then discount_price_yen end) as min_price_yen,
        max(case when is_member then discount_price_yen end) as max_price_yen,
        max(case when is_member then display_days end) as max_display_days
    from coupon_groups
    group by position, group_name
),

outliers as (
    select
        described.*,
        coalesce(bought.n_purchases, 0) as n_purchases,
        coalesce(bought.n_buyers, 0) as n_buyers
    from described
    left join bought on described.position = bought.position
)

select
    group_name,
    n_coupons,
    n_delivery_coupons,
    round(100.0 * n_coupons / max(n_coupons) over (), 2) as coupons_percent,
    n_purchases,
    round(100.0 * n_purchases / nullif(max(n_purchases) over (), 0), 2)
        as purchases_percent,
    n_buyers,
    min_catalog_price_yen,
    max_catalog_price_yen,
    min_price_yen,
    max_price_yen,
    max_display_days
from outliers
order by position
