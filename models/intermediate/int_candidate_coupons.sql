-- grain: one row per cutoff in use and coupon whose sale starts in its target week
select
    cutoffs.cutoff_date,
    coupons.coupon_id,
    coupons.coupon_hash,
    {{ text_seed('coupons.coupon_hash') }} as coupon_seed
from {{ ref('int_cutoffs_to_build') }} as cutoffs
inner join {{ ref('dim_coupons') }} as coupons
    on
        coupons.sale_start_at >= cutoffs.cutoff_at
        and coupons.sale_start_at < cutoffs.target_end_at
