-- grain: one row per coupon and small area of coupon_area_test
-- depends_on: {{ ref('input_files') }}
select
    coupon_hash,

    small_area_ja,
    prefecture_ja
from {{ ref('checked_coupon_areas_test') }}
where
    file_line not in (
        select refused.file_line
        from {{ ref('quarantined_coupon_areas_test') }} as refused
    )
