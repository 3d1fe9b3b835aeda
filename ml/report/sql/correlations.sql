-- grain: one row per two measures of a coupon
with sales as (
    select
        coupon_id,
        count(*) as n_purchases
    from core.fct_purchases
    group by coupon_id
),

measures as (
    select
        coupons.coupon_id,
        unnest([
            'catalog_price', 'discount_price', 'discount_rate', 'display_days',
            'valid_days', 'purchases'
        ]) as measure,
        unnest([
            coupons.catalog_price_yen,
            coupons.discount_price_yen,
            coupons.discount_rate_percent,
            coupons.display_days,
            coupons.valid_days,
            coalesce(sales.n_purchases, 0)
        ]) as measured
    from core.dim_coupons as coupons
    left join sales
        on coupons.coupon_id = sales.coupon_id
    -- what is on the test list was never sold in these files
    where not coupons.is_test_list
),

ranked as (
    select
        coupon_id,
        measure,
        -- ties share their mean rank
        rank() over (partition by measure order by measured)
        + (count(*) over (partition by measure, measured) - 1) / 2 as mean_rank
    from measures
    where measured is not null
)

select
    one_measure.measure,
    other_measure.measure as other_measure,
    count(*) as n_coupons,
    round(corr(one_measure.mean_rank, other_measure.mean_rank), 3) as rank_correlation
from ranked as one_measure
inner join ranked as other_measure
    on one_measure.coupon_id = other_measure.coupon_id
group by one_measure.measure, other_measure.measure
order by one_measure.measure, other_measure.measure
