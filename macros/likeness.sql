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

{# How much more coupons are like what segments bought than like what everybody bought, of
   the cutoffs of one part. #}
{% macro segment_likeness(part) -%}
{%- set prior = 1000000 * var('likeness_segment_prior_purchases') %}

with users as (
    select
        users.cutoff_date,
        users.user_id,
        users.segment
    from {{ ref('feature_users') }} as users
    inner join {{ ref('int_cutoffs_to_build') }} as cutoffs
        on users.cutoff_date = cutoffs.cutoff_date
    where cutoffs.part = {{ part }}
),

purchases as (
    select
        users.cutoff_date,
        users.segment,
        purchases.genre,
        purchases.capsule,
        purchases.prefecture,
        purchases.small_area,
        purchases.discount_price_yen,
        cast(sum(purchases.decayed_purchase_millionths) as bigint)
            as decayed_purchase_millionths
    from users
    inner join {{ ref('feature_user_purchases') }} as purchases
        on
            users.cutoff_date = purchases.cutoff_date
            and users.user_id = purchases.user_id
    group by all
),

segments as (
    select
        users.cutoff_date,
        users.segment,
        coalesce(sum(totals.decayed_purchase_millionths), 0)
            as decayed_purchase_millionths
    from users
    left join {{ ref('feature_user_event_totals') }} as totals
        on
            users.cutoff_date = totals.cutoff_date
            and users.user_id = totals.user_id
    group by users.cutoff_date, users.segment
),

sums as (
    select
        coupons.cutoff_date,
        purchases.segment,
        coupons.coupon_id,
        {{ sums_of_likeness('coupons', 'purchases', 'distances', ['coupon']) }}
    from {{ ref('feature_coupons') }} as coupons
    inner join purchases
        on
            coupons.cutoff_date = purchases.cutoff_date
            and coupons.genre = purchases.genre
    left join {{ ref('int_prefecture_distances') }} as distances
        on
            coupons.prefecture = distances.user_prefecture
            and purchases.prefecture = distances.coupon_prefecture
    group by coupons.cutoff_date, purchases.segment, coupons.coupon_id
),

segment_likeness as (
    select
        segments.cutoff_date,
        segments.segment,
        coupons.coupon_id,
        -- written so that a segment without purchases has 0 to the last digit
        coalesce(
            ln(
                (
                    1 + coalesce(sums.coupon_likeness, 0)
                    / nullif({{ prior }} * coupons.everybodys_coupon_likeness, 0)
                )
                / (
                    1 + segments.decayed_purchase_millionths
                    / cast({{ prior }} as {{ sql_type('double') }})
                )
            ),
            0
        ) as segment_likeness
    from segments
    inner join {{ ref('feature_coupon_likeness') }} as coupons
        on segments.cutoff_date = coupons.cutoff_date
    left join sums
        on
            segments.cutoff_date = sums.cutoff_date
            and segments.segment = sums.segment
            and coupons.coupon_id = sums.coupon_id
)

select * from segment_likeness
{%- endmacro %}
