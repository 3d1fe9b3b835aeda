-- grain: one row per five points of the discount rate in which there are coupons
select
    5 * (discount_rate_percent // 5) as low_percent,
    count(*) as n_coupons
from core.dim_coupons
where discount_rate_percent is not null
group by low_percent
order by low_percent
