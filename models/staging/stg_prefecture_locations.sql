-- grain: one row per prefecture of prefecture_locations
-- depends_on: {{ ref('input_files') }}
select
    prefecture_ja,
    office_ja,

    latitude,
    longitude
from {{ ref('checked_prefecture_locations') }}
where
    file_line not in (
        select refused.file_line
        from {{ ref('quarantined_prefecture_locations') }} as refused
    )
