-- grain: one row
select
    {{ dbt.hash(joined_text("file_name || '=' || fingerprint", "','", 'file_name')) }}
        as data_fingerprint,
    cast(count(case when is_present then 1 end) as integer) as n_files,
    count(case when is_present and file_name = 'coupon_visit_train' then 1 end)
    > 0 as has_visit_log
from {{ source('ponpare', 'source_files') }}
