-- once each, with weight 1, and no pair is called positive that is none
with sampled as (
    select * from {{ ref('int_sampled_pairs') }}
    where label
)

select
    positives.cutoff_date as bought_in_week,
    sampled.cutoff_date as sampled_in_week,
    sampled.user_id,
    sampled.coupon_id,
    sampled.weight
from {{ ref('int_positive_pairs') }} as positives
full outer join sampled
    on
        positives.cutoff_date = sampled.cutoff_date
        and positives.user_id = sampled.user_id
        and positives.coupon_id = sampled.coupon_id
where
    positives.user_id is null
    or sampled.user_id is null
    or sampled.weight != 1
