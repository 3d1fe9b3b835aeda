-- grain: one row per user of user_list
-- depends_on: {{ ref('input_files') }}
select
    user_hash,

    sex,
    prefecture_ja,
    prefecture_status,
    contradiction,

    age,

    registered_at,
    withdrawn_at
from {{ ref('checked_users') }}
where
    file_line not in (
        select refused.file_line
        from {{ ref('quarantined_users') }} as refused
    )
