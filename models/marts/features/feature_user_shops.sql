-- grain: one row per cutoff, user and shop key of an earlier purchase
select
    cutoff_date,
    user_id,
    shop_key_id,
    cast(count(*) as integer) as n_purchases,
    min(age_days) as days_since_last_purchase
from {{ ref('int_purchases_before_cutoff') }}
group by cutoff_date, user_id, shop_key_id
