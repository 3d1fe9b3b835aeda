-- grain: one row
with files as (
    select
        {{ dbt.hash(
            joined_text("file_name || '=' || fingerprint", "','", 'file_name')
        ) }} as data_fingerprint,
        cast(count(case when is_present then 1 end) as integer) as n_files,
        count(case when is_present and file_name = 'coupon_visit_train' then 1 end)
        > 0 as has_visit_log
    from {{ source('ponpare', 'source_files') }}
)

select
    files.data_fingerprint,
    project.fingerprint as project_fingerprint,
    files.n_files,
    files.has_visit_log
from files
cross join {{ source('ponpare', 'project_code') }} as project
