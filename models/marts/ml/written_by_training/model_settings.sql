-- grain: one row per search run and model
-- depends_on: {{ ref('training_pairs') }}
-- depends_on: {{ ref('scoring_pairs') }}
{{ empty_by_contract() }}
