{# How much a coupon of the target week is like what was bought before. #}

{# The likenesses of a candidate and an earlier coupon of the same genre, from 0 to 1:
   by what is sold (1 for the same capsule, 0.4 if only the genre is the same), by price
   (e times less for each `likeness_log_price` between the logarithms) and by place (half
   for the same small area, half by the distance of the prefectures). #}
{% macro likenesses(candidate, bought, distance) -%}
    {%- set product = 'case when ' ~ candidate ~ '.capsule = ' ~ bought
        ~ '.capsule then 1 else 0.4 end' -%}
    {%- set price = 'coalesce(exp(-abs(' ~ log_price(candidate) ~ ' - '
        ~ log_price(bought) ~ ') / ' ~ var('likeness_log_price') ~ '), 0)' -%}
    {%- set place = '(0.5 * case when ' ~ candidate ~ '.small_area = ' ~ bought
        ~ '.small_area then 1 else 0 end + 0.5 * coalesce(exp(-' ~ distance
        ~ '.distance_km / ' ~ var('likeness_distance_km') ~ '), 0))' -%}
    {{ return({
        'coupon': [product, price, place] | join(' * '),
        'local': [product, place] | join(' * '),
        'priced': [product, price] | join(' * '),
    }) }}
{%- endmacro %}

{# Prices below 50 yen are as good as none. #}
{% macro log_price(coupon) -%}
    ln(cast(greatest({{ coupon }}.discount_price_yen, 50) as {{ sql_type('double') }}))
{%- endmacro %}

{# The sums over earlier purchases, in millionths. In whole numbers, so that they do not
   depend on the order of rows. #}
{% macro sums_of_likeness(candidate, bought, distance, names=['coupon', 'local', 'priced']) -%}
    {%- set terms = likenesses(candidate, bought, distance) -%}
    {%- for name in names -%}
    cast(sum(cast(round(
            {{ bought }}.decayed_purchase_millionths * {{ terms[name] }}
        ) as bigint)) as bigint) as {{ name }}_likeness
    {%- if not loop.last %},
        {% endif %}
    {%- endfor %}
{%- endmacro %}

{# The sums of all users and candidates of a genre that they bought of, or of the pairs
   in a relation alone. #}
{% macro likenesses_of_pairs(pairs, part, only_users) -%}
select
        coupons.cutoff_date,
        purchases.user_id,
        coupons.coupon_id,
        {{ sums_of_likeness('coupons', 'purchases', 'distances') }}
    from {{ of_part('feature_user_purchases', part, only_users) }} as purchases
    {%- if pairs %}
    inner join {{ pairs }} as wanted
        on
            purchases.cutoff_date = wanted.cutoff_date
            and purchases.user_id = wanted.user_id
    {%- endif %}
    inner join {{ ref('feature_coupons') }} as coupons
        on
            purchases.cutoff_date = coupons.cutoff_date
            and purchases.genre = coupons.genre
            {%- if pairs %}
            and wanted.coupon_id = coupons.coupon_id
            {%- endif %}
    left join {{ ref('int_prefecture_distances') }} as distances
        on
            coupons.prefecture = distances.user_prefecture
            and purchases.prefecture = distances.coupon_prefecture
    group by coupons.cutoff_date, purchases.user_id, coupons.coupon_id
{%- endmacro %}

{# What purchases of a week count at a cutoff, in millionths of one of the week before it:
   half after every `profile_half_life_days` days. #}
{% macro decayed_purchase_millionths(weeks, cutoffs) -%}
cast(round(
            1e6 * {{ weeks }}.n_purchases / power(
                cast(2 as {{ sql_type('double') }}),
                {{ dbt.datediff(
                    weeks ~ '.known_from_date', cutoffs ~ '.cutoff_date', 'day'
                ) }}
                / cast({{ var('profile_half_life_days') }} as {{ sql_type('double') }})
            )
        ) as bigint)
{%- endmacro %}
