-- grain: one row per model of the latest training run
with latest as (
    select run_id
    from reporting.latest_training_runs
    order by cutoff_date desc
    limit 1
)

select
    runs.run_id,
    runs.model_name,
    runs.is_default,
    runs.cutoff_date,
    runs.evaluated_cutoff_date,
    runs.n_training_pairs,
    runs.n_evaluated_pairs,
    runs.fit_seconds,
    runs.predict_seconds,
    runs.pairs_per_second,
    runs.latency_p50_ms,
    runs.latency_p95_ms,
    runs.peak_memory_mb,
    runs.model_file,
    runs.code_version,
    extract(epoch from runs.finished_at - runs.started_at) as run_seconds
from ml.model_runs as runs
inner join latest
    on runs.run_id = latest.run_id
order by runs.fit_seconds desc, runs.model_name asc
