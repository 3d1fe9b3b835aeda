-- grain: one row per cutoff, feature, bin and value
{{ config(materialized='table') }}

{{ feature_histograms(ref('profiled_pairs'), profiled_features('scoring_pairs')) }}
