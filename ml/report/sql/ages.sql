-- grain: one row per sex and five years of age
select
    5 * (age // 5) as low_age,
    sex,
    count(*) as n_users
from core.dim_users
where age is not null and sex is not null
group by low_age, sex
order by low_age, sex
