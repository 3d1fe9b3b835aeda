-- grain: one row per run, model, input and genre
-- depends_on: {{ ref('training_pairs') }}
{{ empty_by_contract() }}
