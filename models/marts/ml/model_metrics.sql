-- grain: one row per run, model, metric and slice
-- Rows are written by `python -m ml.train`; dbt creates the empty table and keeps it.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    full_refresh=false,
) }}

-- depends_on: {{ ref('training_pairs') }}
-- depends_on: {{ ref('scoring_pairs') }}
select
    cast(null as varchar) as run_id,
    cast(null as date) as cutoff_date,
    cast(null as varchar) as model_name,
    cast(null as varchar) as metric,
    cast(null as varchar) as slice,
    cast(null as double) as value,
    cast(null as double) as low,
    cast(null as double) as high
where false
