-- grain: one row per recipe and time that it spent in a stage
-- depends_on: {{ ref('training_pairs') }}
{{ empty_by_contract() }}
