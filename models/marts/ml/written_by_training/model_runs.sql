-- grain: one row per run and model
-- depends_on: {{ ref('training_pairs') }}
{{ empty_by_contract() }}
