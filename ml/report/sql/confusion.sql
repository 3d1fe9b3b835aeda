-- grain: one row per cell of the published model's confusion matrix
with latest as (
    select
        run_id,
        model_name
    from reporting.latest_training_runs
    order by cutoff_date desc
    limit 1
),

measured as (
    select
        metrics.metric,
        metrics.value
    from ml.model_metrics as metrics
    inner join latest
        on
            metrics.run_id = latest.run_id
            and metrics.model_name = latest.model_name
    where metrics.slice = 'all'
)

select
    metric,
    metric in ('true_positives', 'false_positives') as is_predicted,
    metric in ('true_positives', 'false_negatives') as is_bought,
    cast(value as bigint) as n_pairs,
    max(value) filter (where metric = 'threshold') over () as threshold
from measured
qualify
    metric in (
        'true_positives', 'false_positives', 'false_negatives', 'true_negatives'
    )
order by metric
