-- grain: one row per purchase of coupon_detail_train
-- depends_on: {{ ref('input_files') }}
select
    purchase_hash,
    user_hash,
    coupon_hash,

    small_area_ja,

    item_count,

    purchased_at
from {{ ref('checked_purchases') }}
where
    file_line not in (
        select refused.file_line
        from {{ ref('quarantined_purchases') }} as refused
    )
