-- grain: one row per scored cutoff, user and coupon
-- depends_on: {{ ref('training_pairs') }}
-- depends_on: {{ ref('scoring_pairs') }}
{{ empty_by_contract() }}
