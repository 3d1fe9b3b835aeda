-- grain: one row per model that the latest backtest compares with the published one
with gains as (
    select
        metrics.run_id,
        substr(metrics.slice, length('all_to_') + 1) as model_name,
        metrics.value,
        metrics.low,
        metrics.high,
        max(metrics.run_id) over () as latest_run_id
    from ml.model_metrics as metrics
    -- measured on the data of this warehouse
    inner join ml.build_fingerprint as built
        on contains(metrics.run_id, left(built.data_fingerprint, 8))
    where
        metrics.metric = 'mean_map_at_10_difference'
        and metrics.slice like 'all\_to\_%' escape '\'
)

select
    model_name,
    value,
    low,
    high
from gains
where run_id = latest_run_id
order by model_name
