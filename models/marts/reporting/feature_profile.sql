-- grain: one row per cutoff and feature
{{ config(materialized='table') }}

{{ feature_profile(ref('profiled_pairs'), profiled_features('scoring_pairs')) }}
