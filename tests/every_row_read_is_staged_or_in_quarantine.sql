-- what the loader counted in a file against what stands in the warehouse
with counted as (
    {% for file_name, rows_name in input_files() -%}
    select
        '{{ file_name }}' as file_name,
        (select count(*) from {{ ref('stg_' ~ rows_name) }}) as n_rows_staged,
        (select count(*) from {{ ref('quarantined_' ~ rows_name) }})
            as n_rows_quarantined
    {% if not loop.last -%}
    union all
    {% endif -%}
    {% endfor -%}
)

select
    files.file_name,
    files.n_rows_read,
    counted.n_rows_staged,
    counted.n_rows_quarantined
from {{ ref('input_files') }} as files
left join counted on files.file_name = counted.file_name
where
    files.n_rows_read
    is distinct from counted.n_rows_staged + counted.n_rows_quarantined
