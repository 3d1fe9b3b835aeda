-- grain: one row per cutoff, feature, bin and value
-- side by side with training_pairs it takes more than DuckDB's 3 GB at 91,492 users
-- depends_on: {{ ref('training_pairs') }}
{{ config(materialized='table') }}

{{ feature_histograms(ref('profiled_pairs'), profiled_features('scoring_pairs')) }}
