-- grain: one row per page view of coupon_visit_train
-- depends_on: {{ ref('input_files') }}
select
    user_hash,
    coupon_hash,
    session_hash,
    referrer_hash,
    purchase_hash,

    page_serial,

    is_purchase,

    visited_at,

    file_line
from {{ ref('checked_visits') }}
where
    file_line not in (
        select refused.file_line
        from {{ ref('quarantined_visits') }} as refused
    )
