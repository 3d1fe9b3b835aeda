-- and within the planned sale
select
    features.coupon_id,
    features.sale_hours_in_week
from {{ ref('feature_coupon_exposure') }} as features
inner join {{ ref('dim_coupons') }} as coupons
    on features.coupon_id = coupons.coupon_id
where
    features.sale_hours_in_week not between 0 and 168
    or features.sale_hours_in_week * 3600 > 1e-6
    + {{ epoch_seconds('coupons.sale_end_at') }}
    - {{ epoch_seconds('coupons.sale_start_at') }}
