-- grain: one row per cutoff, feature, bin and value
-- side by side the two need more than DuckDB's 3 GB at four times the users
-- depends_on: {{ ref('training_pairs') }}
{{ config(materialized='table') }}

{{ feature_histograms(ref('profiled_pairs'), profiled_features('scoring_pairs')) }}
