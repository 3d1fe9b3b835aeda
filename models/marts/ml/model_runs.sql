-- grain: one row per run and model
-- Rows are written by `python -m ml.train`; dbt creates the empty table and keeps it.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    full_refresh=false,
) }}

-- depends_on: {{ ref('training_pairs') }}
select
    cast(null as varchar) as run_id,
    cast(null as varchar) as model_name,
    cast(null as boolean) as is_default,
    cast(null as date) as cutoff_date,
    cast(null as date) as evaluated_cutoff_date,
    cast(null as varchar) as parameters,
    cast(null as varchar) as data_fingerprint,
    cast(null as varchar) as code_version,
    cast(null as date) as first_training_cutoff,
    cast(null as date) as last_training_cutoff,
    cast(null as bigint) as n_training_pairs,
    cast(null as double) as fit_seconds,
    cast(null as bigint) as n_evaluated_pairs,
    cast(null as double) as predict_seconds,
    cast(null as double) as pairs_per_second,
    cast(null as double) as latency_p50_ms,
    cast(null as double) as latency_p95_ms,
    cast(null as double) as peak_memory_mb,
    cast(null as varchar) as model_file,
    cast(null as timestamp) as started_at,
    cast(null as timestamp) as finished_at
where false
