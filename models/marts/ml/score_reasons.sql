-- grain: one row per scored cutoff, user and coupon of the user's top ten
-- Rows are written by `python -m ml.train`; dbt creates the empty table and keeps it.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    full_refresh=false,
) }}

-- depends_on: {{ ref('scoring_pairs') }}
select
    cast(null as date) as cutoff_date,
    cast(null as varchar) as user_hash,
    cast(null as varchar) as coupon_hash,
    cast(null as varchar) as run_id,
    cast(null as varchar) as reasons
where false
