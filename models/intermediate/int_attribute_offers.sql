-- grain: one row per week with an event, attribute and value that was on sale in it
select
    days.known_from_date,
    coupons.attribute,
    coupons.attribute_value,
    cast(count(*) as integer) as n_offers
from (
    select distinct known_from_date
    from {{ ref('int_user_coupon_weeks') }}
) as days
inner join {{ ref('int_coupon_attributes') }} as coupons
    on
        coupons.sale_start_at < days.known_from_date
        and coupons.sale_end_at
        > {{ dbt.dateadd('day', -7, 'days.known_from_date') }}
group by all
