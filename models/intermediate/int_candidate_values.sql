-- grain: one row per cutoff, attribute and value of a candidate coupon
select distinct
    candidates.cutoff_date,
    coupons.attribute,
    coupons.attribute_value
from {{ ref('int_candidate_coupons') }} as candidates
inner join {{ ref('int_coupon_attributes') }} as coupons
    on candidates.coupon_id = coupons.coupon_id
