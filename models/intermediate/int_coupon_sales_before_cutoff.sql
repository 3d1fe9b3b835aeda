-- grain: one row per cutoff and coupon whose sale started before it
with cutoffs as (
    select * from {{ ref('cutoffs') }}
),

released as (
    select
        cutoffs.cutoff_date,
        coupons.coupon_id,
        coupons.shop_key_id,
        coupons.genre,
        coupons.sale_start_at,
        coupons.sale_end_at > cutoffs.cutoff_at as is_still_on_sale,
        {{ epoch_seconds('least(coupons.sale_end_at, cutoffs.cutoff_at)') }}
        - {{ epoch_seconds('coupons.sale_start_at') }} as seconds_on_sale
    from cutoffs
    inner join {{ ref('dim_coupons') }} as coupons
        on coupons.sale_start_at < cutoffs.cutoff_at
),

buyers as (
    select
        cutoff_date,
        coupon_id,
        count(distinct user_id) as n_buyers
    from {{ ref('int_purchases_before_cutoff') }}
    group by cutoff_date, coupon_id
),

coupon_sales as (
    select
        released.*,
        coalesce(buyers.n_buyers, 0) as n_buyers
    from released
    left join buyers
        on
            released.cutoff_date = buyers.cutoff_date
            and released.coupon_id = buyers.coupon_id
)

select * from coupon_sales
