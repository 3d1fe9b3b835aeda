-- grain: one row per cutoff, feature, bin and value
-- built after training_pairs: side by side the two outgrow the memory at four times the
-- competition's users
-- depends_on: {{ ref('training_pairs') }}
{{ config(materialized='table') }}

{{ feature_histograms(ref('scoring_pairs'), profiled_features('scoring_pairs')) }}
