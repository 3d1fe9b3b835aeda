-- grain: one row per cutoff and coupon whose sale starts in its target week
with purchases as (
    select
        purchases.cutoff_date,
        purchases.genre,
        purchases.capsule,
        purchases.prefecture,
        purchases.small_area,
        purchases.discount_price_yen,
        cast(sum(purchases.decayed_purchase_millionths) as bigint)
            as decayed_purchase_millionths
    from {{ ref('feature_user_purchases') }} as purchases
    inner join {{ ref('int_cutoffs_to_build') }} as cutoffs
        on purchases.cutoff_date = cutoffs.cutoff_date
    group by all
),

totals as (
    select
        cutoff_date,
        cast(
            sum(decayed_purchase_millionths) as {{ sql_type('double') }}
        ) as decayed_purchase_millionths
    from purchases
    group by cutoff_date
),

sums as (
    select
        coupons.cutoff_date,
        coupons.coupon_id,
        {{ sums_of_likeness('coupons', 'purchases', 'distances') }}
    from {{ ref('feature_coupons') }} as coupons
    inner join purchases
        on
            coupons.cutoff_date = purchases.cutoff_date
            and coupons.genre = purchases.genre
    left join {{ ref('int_prefecture_distances') }} as distances
        on
            coupons.prefecture = distances.user_prefecture
            and purchases.prefecture = distances.coupon_prefecture
    group by coupons.cutoff_date, coupons.coupon_id
),

coupon_likeness as (
    select
        coupons.cutoff_date,
        coupons.coupon_id,
        {% for name in ['coupon', 'local', 'priced'] -%}
        coalesce(sums.{{ name }}_likeness / totals.decayed_purchase_millionths, 0)
            as everybodys_{{ name }}_likeness
        {%- if not loop.last %},
        {% endif %}
        {%- endfor %}
    from {{ ref('feature_coupons') }} as coupons
    left join totals on coupons.cutoff_date = totals.cutoff_date
    left join sums
        on
            coupons.cutoff_date = sums.cutoff_date
            and coupons.coupon_id = sums.coupon_id
)

select * from coupon_likeness
