-- question: how do the coupons to be predicted differ from those of the training year?
--
-- On the competition's files the 310 coupons of the test week are no other kind of
-- coupon, but a later one. Against the whole training year they stay on sale longer
-- (1 % at most two days, 34 % of the year's; 36 % five days or more, 13 %), have fewer
-- discounts of exactly 50 % (29 to 39 %), fewer of the genre `other` (2 to 5 %), and
-- more often the shop has offered the same before (49 to 38 %). Nearly all of that is
-- the drift of a year: against the last four weeks of training no genre differs by more
-- than 3 points, no price band by more than 4, and what remains (five points in
-- discounts and in offers issued before) lies within twice the error of a share of 310.
-- So a model is judged on the weeks right before, and what was learned from display
-- periods in 2011 does not carry over as it stands.
--
-- Recent are coupons that went on sale in the last 28 days of the training list.

with coupons as (
    select
        *,
        min(sale_start_at) over (partition by shop_key_id) < sale_start_at
            as is_issued_before,
        cast(sale_start_at as date) > cast({{ dbt.dateadd(
            'day',
            -28,
            'max(case when not is_test_list then cast(sale_start_at as date) end) over ()'
        ) }} as date) and not is_test_list as is_recent
    from {{ ref('dim_coupons') }}
),

attributes as (
    {% for name, value in [
        ('genre', 'genre'),
        ('large area', 'large_area'),
        ('price', price_band('discount_price_yen')),
        ('discount', "case
            when discount_rate_percent < 50 then 'below 50'
            when discount_rate_percent = 50 then '50'
            else 'above 50'
        end"),
        ('days on sale', "case
            when display_days <= 2 then '0-2'
            when display_days <= 4 then '3-4'
            when display_days <= 6 then '5-6'
            else '7 or more'
        end"),
        ('validity', "case
            when valid_days is null then 'no period'
            when valid_days <= 90 then '0-90 days'
            else 'above 90 days'
        end"),
        ('days of use', 'usability_pattern'),
        ('shop and offer', "case
            when is_issued_before then 'issued before'
            else 'new'
        end"),
    ] -%}
    select
        {{ loop.index }} as position,
        '{{ name }}' as attribute,
        {{ value }} as value,
        is_test_list,
        is_recent
    from coupons
    {%- if not loop.last %}
    union all
    {% endif -%}
    {%- endfor %}
),

counted as (
    select
        position,
        attribute,
        value,
        count(case when not is_test_list then 1 end) as n_train,
        count(case when is_recent then 1 end) as n_recent,
        count(case when is_test_list then 1 end) as n_test
    from attributes
    group by position, attribute, value
),

totals as (
    select
        *,
        sum(n_train) over (partition by attribute) as n_all_train,
        sum(n_recent) over (partition by attribute) as n_all_recent,
        sum(n_test) over (partition by attribute) as n_all_test
    from counted
),

list_differences as (
    select
        *,
        100.0 * n_train / nullif(n_all_train, 0) as train_percent,
        100.0 * n_recent / nullif(n_all_recent, 0) as recent_percent,
        100.0 * n_test / nullif(n_all_test, 0) as test_percent
    from totals
)

select
    attribute,
    value,
    n_train,
    round(train_percent, 1) as train_percent,
    n_recent,
    round(recent_percent, 1) as recent_percent,
    n_test,
    round(test_percent, 1) as test_percent,
    round(test_percent - train_percent, 1) + 0.0 as test_minus_train_points,
    round(test_percent - recent_percent, 1) + 0.0 as test_minus_recent_points
from list_differences
order by position asc, n_train desc, value asc
