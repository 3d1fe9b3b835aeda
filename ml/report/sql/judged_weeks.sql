-- grain: one row per evaluated week and model
select
    cutoff_date,
    model_name,
    map_at_10,
    map_at_10_low,
    map_at_10_high
from reporting.model_leaderboard
qualify count(*) over (partition by model_name) > 1
order by cutoff_date, model_name
