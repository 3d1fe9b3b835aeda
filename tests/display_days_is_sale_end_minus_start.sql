-- in calendar days, whatever the time of day
select
    coupon_id,
    sale_start_at,
    sale_end_at,
    display_days
from {{ ref('dim_coupons') }}
where
    contradiction is null
    and display_days != {{ dbt.datediff('sale_start_at', 'sale_end_at', 'day') }}
