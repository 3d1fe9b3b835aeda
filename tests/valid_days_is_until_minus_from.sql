-- also: the three are null together
select
    coupon_id,
    valid_from_date,
    valid_until_date,
    valid_days
from {{ ref('dim_coupons') }}
where
    contradiction is null
    and (
        valid_days
        != {{ dbt.datediff('valid_from_date', 'valid_until_date', 'day') }}
        or (valid_days is null) != (valid_from_date is null)
        or (valid_days is null) != (valid_until_date is null)
    )
