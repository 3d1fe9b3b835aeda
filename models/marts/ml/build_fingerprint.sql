-- grain: one row
-- depends_on: {{ ref('training_pairs') }}
-- depends_on: {{ ref('scoring_pairs') }}
-- depends_on: {{ ref('newcomer_pairs') }}
-- depends_on: {{ ref('profiled_pairs') }}
-- depends_on: {{ ref('next_genre_examples') }}
-- depends_on: {{ ref('dim_users') }}
-- depends_on: {{ ref('dim_coupons') }}
{{ config(post_hook="{{ remember_finished_cutoffs() }}") }}

select
    data_fingerprint,
    project_fingerprint
from {{ ref('data_fingerprint') }}
