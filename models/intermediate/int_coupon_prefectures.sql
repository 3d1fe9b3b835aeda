-- grain: one row per listed coupon and prefecture in which it is listed
select distinct
    coupon_id,
    prefecture
from {{ ref('bridge_coupon_areas') }}
where prefecture is not null
