select positives.*
from {{ ref('int_positive_pairs') }} as positives
left join {{ ref('int_candidate_users') }} as users
    on
        positives.cutoff_date = users.cutoff_date
        and positives.user_id = users.user_id
left join {{ ref('int_candidate_coupons') }} as coupons
    on
        positives.cutoff_date = coupons.cutoff_date
        and positives.coupon_id = coupons.coupon_id
where users.user_id is null or coupons.coupon_id is null
