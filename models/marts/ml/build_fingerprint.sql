-- grain: one row
-- depends_on: {{ ref('training_pairs') }}
-- depends_on: {{ ref('scoring_pairs') }}
-- depends_on: {{ ref('dim_users') }}
-- depends_on: {{ ref('dim_coupons') }}
select data_fingerprint
from {{ ref('data_fingerprint') }}
