-- grain: one row per run, model, setting and validation cutoff
-- depends_on: {{ ref('training_pairs') }}
-- depends_on: {{ ref('scoring_pairs') }}
{{ empty_by_contract() }}
