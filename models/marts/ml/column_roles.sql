-- grain: one row per pair mart and column
-- depends_on: {{ ref('training_pairs') }}, {{ ref('scoring_pairs') }}
{{ column_roles(['training_pairs', 'scoring_pairs']) }}
