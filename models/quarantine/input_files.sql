-- grain: one row per source file
-- after the commit, so that what is refused can be looked at when the build stops
{{ config(post_hook={'sql': '{{ stop_if_too_broken(this) }}', 'transaction': false}) }}
with refused as (
    {% for file_name, rows_name in input_files() -%}
    select
        file_name,
        'quarantined_{{ rows_name }}' as model_name,
        file_line,
        rejected_because
    from {{ ref('quarantined_' ~ rows_name) }}
    {% if not loop.last -%}
    union all
    {% endif -%}
    {% endfor -%}
),

reasons as (
    select
        file_name,
        model_name,
        rejected_because,
        count(*) as n_rows,
        min(file_line) as first_line
    from refused
    group by file_name, model_name, rejected_because
),

ranked as (
    select
        *,
        sum(n_rows) over (partition by file_name) as n_rows_of_file,
        row_number() over (
            partition by file_name
            order by n_rows desc, first_line asc, rejected_because asc
        ) as reason_rank
    from reasons
),

source_files_judged as (
    select
        files.file_name,
        files.is_present,
        files.n_rows as n_rows_read,
        cast(coalesce(ranked.n_rows_of_file, 0) as bigint) as n_rows_quarantined,
        coalesce(ranked.n_rows_of_file, 0)
        / cast(nullif(files.n_rows, 0) as {{ sql_type('double') }})
            as quarantined_share,
        ranked.rejected_because as most_frequent_reason,
        ranked.first_line,
        ranked.model_name
    from {{ source('ponpare', 'source_files') }} as files
    left join ranked
        on files.file_name = ranked.file_name and ranked.reason_rank = 1
)

select * from source_files_judged
