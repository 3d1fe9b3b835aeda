-- grain: one row per cutoff, attribute and value of a coupon released before it
with released as (
    select
        cutoffs.cutoff_date,
        coupons.attribute,
        coupons.attribute_value,
        count(*) as n_coupons
    from {{ ref('int_cutoffs_to_build') }} as cutoffs
    inner join {{ ref('int_coupon_attributes') }} as coupons
        on coupons.sale_start_at < cutoffs.cutoff_at
    group by all
),

attribute_rarity as (
    select
        cutoff_date,
        attribute,
        attribute_value,
        cast(n_coupons as integer) as n_coupons,
        -- the smooth inverse document frequency of text retrieval, coupons as documents
        1 + ln(
            cast(
                1
                + sum(n_coupons)
                    over (partition by cutoff_date, attribute)
                as {{ sql_type('double') }}
            ) / (1 + n_coupons)
        ) as rarity
    from released
)

select * from attribute_rarity
