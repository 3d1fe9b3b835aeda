-- grain: one row per run, variant, feature group and metric
-- depends_on: {{ ref('training_pairs') }}
-- depends_on: {{ ref('scoring_pairs') }}
{{ empty_by_contract() }}
