-- grain: one row per evaluated week, the latest only
select
    cutoff_date,
    n_bought,
    n_missed,
    missed_share
from reporting.miss_summary
where slice = 'all'
qualify cutoff_date = max(cutoff_date) over ()
