-- 184 days of 2010, 365 of 2011, 366 of 2012, 365 of 2013
select count(*) as n_days
from {{ ref('dim_calendar') }}
having count(*) != 1280
