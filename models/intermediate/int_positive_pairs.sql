-- grain: one row per labelled cutoff, candidate user and candidate coupon bought
select distinct
    cutoffs.cutoff_date,
    users.user_id,
    coupons.coupon_id
from {{ ref('int_cutoffs_to_build') }} as cutoffs
inner join {{ ref('fct_purchases') }} as purchases
    on
        purchases.purchased_at >= cutoffs.cutoff_at
        and purchases.purchased_at < cutoffs.target_end_at
inner join {{ ref('int_candidate_users') }} as users
    on
        cutoffs.cutoff_date = users.cutoff_date
        and purchases.user_id = users.user_id
inner join {{ ref('int_candidate_coupons') }} as coupons
    on
        cutoffs.cutoff_date = coupons.cutoff_date
        and purchases.coupon_id = coupons.coupon_id
where cutoffs.is_labelled
