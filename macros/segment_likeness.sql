{# How much more coupons are like what segments bought than like what everybody bought, of
   the cutoffs of one part. #}
{% macro segment_likeness(part) -%}
{%- set prior = 1000000 * var('likeness_segment_prior_purchases') %}

with users as (
    select
        users.cutoff_date,
        users.user_id,
        users.segment
    from {{ of_part('feature_users', part) }} as users
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
