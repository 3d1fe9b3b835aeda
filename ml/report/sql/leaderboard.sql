-- grain: one row per model of the latest training run
with latest as (
    select run_id
    from reporting.latest_training_runs
    order by cutoff_date desc
    limit 1
),

differences as (
    select
        metrics.slice,
        metrics.value,
        metrics.low,
        metrics.high
    from ml.model_metrics as metrics
    inner join latest
        on metrics.run_id = latest.run_id
    where metrics.metric = 'map_at_10_difference'
)

select
    models.cutoff_date,
    models.model_name,
    models.is_default,
    models.map_at_10,
    models.map_at_10_low,
    models.map_at_10_high,
    models.map_at_10_buyers,
    models.recall_at_10,
    models.auc,
    models.pr_auc,
    models.log_loss,
    differences.value as default_minus_it,
    differences.low as default_minus_it_low,
    differences.high as default_minus_it_high
from reporting.model_leaderboard as models
inner join latest
    on models.run_id = latest.run_id
left join differences
    on differences.slice = 'to_' || models.model_name
order by models.map_at_10 desc, models.model_name asc
