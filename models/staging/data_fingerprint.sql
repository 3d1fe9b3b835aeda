-- grain: one row
select
    md5(
        string_agg(file_name || '=' || fingerprint, ',' order by file_name)
    ) as data_fingerprint,
    cast(count(*) filter (where is_present) as integer) as n_files,
    count(*) filter (where is_present and file_name = 'coupon_visit_train')
    > 0 as has_visit_log
from {{ source('ponpare', 'source_files') }}
