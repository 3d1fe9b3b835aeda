-- grain: one row per cutoff whose features and pairs are built
{{ config(
    materialized='incremental',
    incremental_strategy='merge' if target.type == 'bigquery' else 'append',
    full_refresh=false,
) }}
{{ empty_by_contract() }}
