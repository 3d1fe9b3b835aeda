{# Rows of a file that only grows are judged once: where a file begins with the lines that
   were judged before, an incremental build looks at those after them. See
   docs/incremental.md. #}

{# The line to which the file of this model was judged before, from the same bytes by the
   same code; 0 if that is not so, and everything is to be judged. #}
{% macro last_judged_line() -%}
    {%- if not execute or not is_incremental() or not is_there('judged_files') -%}
        {{ return(0) }}
    {%- endif -%}
    {%- set found = run_query(
        'select coalesce(max(states.last_line), 0) from '
        ~ source('ponpare', 'file_states') ~ ' as states inner join '
        ~ relation_of('judged_files') ~ ' as judged'
        ~ ' on states.file_name = judged.file_name'
        ~ ' and states.fingerprint = judged.fingerprint inner join '
        ~ source('ponpare', 'project_code') ~ ' as code'
        ~ ' on judged.project_fingerprint = code.fingerprint'
        ~ " where states.file_name = '" ~ model.config.meta.grows_with ~ "'"
    ) -%}
    {{ return(found.columns[0].values()[0] | int) }}
{%- endmacro %}

{# The strategy of these models: rows of lines that were judged now take the place of
   what was there after the last line that was judged before. #}
{% macro get_incremental_new_lines_sql(arguments) -%}
{%- set columns = get_quoted_csv(arguments.dest_columns | map(attribute='name')) -%}
    delete from {{ arguments.target_relation }}
    where file_line > {{ last_judged_line() }};

    insert into {{ arguments.target_relation }} ({{ columns }})
    select {{ columns }}
    from {{ arguments.temp_relation }}
{%- endmacro %}

{# With the rows, in one transaction: from which bytes and by which code they are. #}
{% macro remember_judged_file() -%}
{%- if execute and target.type == 'duckdb' and is_there('judged_files') -%}
{%- set file_name = model.config.meta.grows_with -%}
delete from {{ relation_of('judged_files') }}
where file_name = '{{ file_name }}';

insert into {{ relation_of('judged_files') }} by name
select
    states.file_name,
    states.fingerprint,
    code.fingerprint as project_fingerprint
from {{ source('ponpare', 'file_states') }} as states
cross join {{ source('ponpare', 'project_code') }} as code
where states.file_name = '{{ file_name }}'
qualify states.last_line = max(states.last_line) over ()
{%- endif -%}
{%- endmacro %}
