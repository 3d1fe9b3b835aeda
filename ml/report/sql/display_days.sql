-- grain: one row per number of days on sale, from 14 on together
select
    least(display_days, 14) as n_days,
    count(*) as n_coupons
from core.dim_coupons
where display_days is not null
group by n_days
order by n_days
