-- grain: one row per bin of the published model's probabilities
with latest as (
    select
        run_id,
        model_name
    from reporting.latest_training_runs
    order by cutoff_date desc
    limit 1
)

select
    metrics.slice as bin,
    max(metrics.value) filter (where metrics.metric = 'calibration_predicted')
        as predicted,
    max(metrics.value) filter (where metrics.metric = 'calibration_observed')
        as observed,
    max(metrics.value) filter (where metrics.metric = 'calibration_pairs')
        as n_pairs
from ml.model_metrics as metrics
inner join latest
    on
        metrics.run_id = latest.run_id
        and metrics.model_name = latest.model_name
where metrics.metric like 'calibration_%'
group by metrics.slice
order by metrics.slice
