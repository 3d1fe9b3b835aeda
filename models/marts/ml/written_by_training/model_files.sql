-- grain: one row per model file
-- depends_on: {{ ref('training_pairs') }}
{{ empty_by_contract() }}
