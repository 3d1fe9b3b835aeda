-- grain: one row per comparison and span of judged weeks
-- depends_on: {{ ref('training_pairs') }}
{{ empty_by_contract() }}
