-- grain: one row per scored cutoff, user and coupon of the user's top ten
-- depends_on: {{ ref('scoring_pairs') }}
{{ empty_by_contract() }}
