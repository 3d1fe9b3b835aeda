-- grain: one row per part of the users by which the published model is measured
with latest as (
    select
        run_id,
        model_name
    from reporting.latest_training_runs
    order by cutoff_date desc
    limit 1
)

select
    metrics.slice,
    metrics.value,
    metrics.low,
    metrics.high
from ml.model_metrics as metrics
inner join latest
    on
        metrics.run_id = latest.run_id
        and metrics.model_name = latest.model_name
where
    metrics.metric = 'map_at_10'
    and regexp_matches(metrics.slice, '^(prefecture|sex|age|purchases)_')
    and metrics.value is not null
order by metrics.slice
