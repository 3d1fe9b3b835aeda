-- grain: one row per cutoff and coupon whose sale starts in its target week
with cutoffs as (
    select * from {{ ref('int_cutoffs_to_build') }}
),

coupons as (
    select * from {{ ref('dim_coupons') }}
),

coupon_features as (
    select
        cutoffs.cutoff_date,
        coupons.coupon_id,
        coupons.shop_key_id,
        coupons.genre,
        coupons.genre_price_band,
        coupons.capsule,
        coupons.large_area,
        coupons.prefecture,
        coupons.small_area,
        coupons.catalog_price_yen,
        coupons.discount_price_yen,
        coupons.catalog_price_yen - coupons.discount_price_yen as saving_yen,
        -- computed, not read: the file's own rate is tested against it
        1 - coupons.discount_price_yen
        / cast(nullif(coupons.catalog_price_yen, 0) as {{ sql_type('double') }})
            as discount_share
    from cutoffs
    inner join coupons
        on
            coupons.sale_start_at >= cutoffs.cutoff_at
            and coupons.sale_start_at < cutoffs.target_end_at
)

select * from coupon_features
