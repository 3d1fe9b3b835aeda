-- grain: one row per model shown and step of its curve
with latest as (
    select
        run_id,
        model_name
    from reporting.latest_training_runs
    order by cutoff_date desc
    limit 1
),

of_run as (
    select
        metrics.*,
        metrics.model_name = latest.model_name as is_default
    from ml.model_metrics as metrics
    inner join latest
        on metrics.run_id = latest.run_id
    where
        metrics.model_name = latest.model_name
        or metrics.model_name in ('popularity', 'cosine', 'competition_cosine')
),

totals as (
    select
        model_name,
        sum(value) as n_pairs,
        sum(value) filter (where metric in ('true_positives', 'false_negatives'))
            as n_bought
    from of_run
    where
        metric in (
            'true_positives', 'false_positives', 'false_negatives', 'true_negatives'
        )
    group by model_name
),

steps as (
    select
        model_name,
        is_default,
        slice as step,
        max(value) filter (where metric = 'curve_pairs') as n_named,
        max(value) filter (where metric = 'curve_purchases') as n_found
    from of_run
    where metric like 'curve_%'
    group by model_name, is_default, slice
)

select
    steps.model_name,
    steps.is_default,
    steps.step,
    steps.n_named,
    steps.n_found,
    steps.n_named / totals.n_pairs as named_share,
    steps.n_found / totals.n_bought as recall,
    steps.n_found / steps.n_named as precision_value,
    (steps.n_found / steps.n_named) / (totals.n_bought / totals.n_pairs) as lift,
    totals.n_bought / totals.n_pairs as base_rate
from steps
inner join totals
    on steps.model_name = totals.model_name
order by steps.is_default desc, steps.model_name asc, steps.step asc
