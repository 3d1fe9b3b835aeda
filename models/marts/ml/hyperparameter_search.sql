-- grain: one row per run, model, setting and validation cutoff
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
    cast(null as varchar) as model_name,
    cast(null as integer) as setting,
    cast(null as varchar) as parameters,
    cast(null as date) as cutoff_date,
    cast(null as varchar) as metric,
    cast(null as double) as value,
    cast(null as double) as fit_seconds
where false
