-- grain: one row per run, model and option
-- depends_on: {{ ref('training_pairs') }}
-- depends_on: {{ ref('scoring_pairs') }}
{{ empty_by_contract() }}
