{# Models that are made part by part: of the lines of a file that grows, or of the weeks
   in which events happened. `built_parts` holds what their rows are made of, and an
   incremental build makes only those whose source is another. It has to be there before
   they are; the first of them depends on it. See docs/incremental.md. #}

{# Whether there are rows of earlier builds that may stay; in a unit test nothing is
   there. Unless a build is incremental, the warehouse is not asked. #}
{% macro has_earlier_parts() -%}
    {{ return(
        execute and is_incremental_build() and this is not none and is_incremental()
        and is_there('built_parts')
    ) }}
{%- endmacro %}

{# The line up to which the rows of this model are made of the file that it grows with, as
   that file and all else still is; 0 if everything is to be made. #}
{% macro last_built_line() -%}
    {%- if not has_earlier_parts() -%}
        {{ return(0) }}
    {%- endif -%}
    {%- set found = run_query(
        'select coalesce(max(states.last_line), 0) from ('
        ~ line_states() ~ ') as states inner join '
        ~ relation_of('built_parts') ~ ' as parts'
        ~ ' on states.file_name = parts.part'
        ~ ' and states.input_fingerprint = parts.input_fingerprint'
        ~ " where parts.model_name = '" ~ model.name ~ "'"
        ~ ' and parts.n_rows = (select count(*) from ' ~ this ~ ')'
    ) -%}
    {{ return(found.columns[0].values()[0] | int) }}
{%- endmacro %}

{# Whether a row with a `file_line` is still to be made. #}
{% macro is_new_line() -%}
    {%- set line = last_built_line() -%}
    {{ return('file_line > ' ~ line if line else 'true') }}
{%- endmacro %}

{# What the file that this model grows with was whenever it was read, with the code and
   the keys that its rows are made of, as a query. #}
{% macro line_states() -%}
select
    states.file_name,
    states.last_line,
    concat_ws(
        ' ', states.fingerprint, code.fingerprint, '{{ variables_of_this_build() }}'
        {%- for key, name in model.config.meta.get('keys', {}).items() %},
        (
            select {{ sum_of_row_hashes('keys') }} from {{ relation_of(name) }} as keys
            where keys.{{ key }} <= (select max({{ key }}) from {{ this }})
        )
        {%- endfor %}
    ) as input_fingerprint
from {{ source('ponpare', 'file_states') }} as states
cross join {{ source('ponpare', 'project_code') }} as code
where states.file_name = '{{ model.config.meta.grows_with }}'
{%- endmacro %}

{# The strategy of models that grow with a file: what was made comes to what is there, or
   takes its place if all was to be made. #}
{% macro get_incremental_new_lines_sql(arguments) -%}
{%- set columns = get_quoted_csv(arguments.dest_columns | map(attribute='name')) -%}
    {% if not last_built_line() -%}
    delete from {{ arguments.target_relation }};
    {%- endif %}

    insert into {{ arguments.target_relation }} ({{ columns }})
    select {{ columns }}
    from {{ arguments.temp_relation }}
{%- endmacro %}

{# The weeks that this model has not made of what they are now, as a query. #}
{% macro weeks_to_build() -%}
select inputs.week_start_date
from {{ relation_of('int_event_inputs') }} as inputs
left join {{ relation_of('built_parts') }} as parts
    on
        parts.model_name = '{{ model.name }}'
        and cast(inputs.week_start_date as varchar) = parts.part
        and inputs.input_fingerprint = parts.input_fingerprint
        and parts.n_rows = (select count(*) from {{ this }})
where parts.part is null
{%- endmacro %}

{# Whether a week is to be made. #}
{% macro is_week_to_build(week) -%}
    {{ return(week ~ ' in (' ~ weeks_to_build() ~ ')' if has_earlier_parts() else 'true') }}
{%- endmacro %}

{# The strategy of models that are made by week: rows of weeks that were made take the
   place of what was there, rows of weeks without events go. #}
{% macro get_incremental_weeks_sql(arguments) -%}
{%- set columns = get_quoted_csv(arguments.dest_columns | map(attribute='name')) -%}
{%- set week = model.config.meta.week -%}
    delete from {{ arguments.target_relation }}
    {% if has_earlier_parts() -%}
    where
        {{ week }} in ({{ weeks_to_build() }})
        or {{ week }} not in (
            select week_start_date from {{ relation_of('int_event_inputs') }}
        )
    {%- endif %};

    insert into {{ arguments.target_relation }} ({{ columns }})
    select {{ columns }}
    from {{ arguments.temp_relation }}
{%- endmacro %}

{# Whether all that a model is made of was to be built before it in this command, and
   none of it cut short: else nobody knows what its rows are made of. #}
{% macro is_built_from_its_files(unique_id) -%}
    {%- set left_out = models_behind(unique_id, [])
        | reject('in', selected_resources) | list -%}
    {{ return(not (
        left_out or invocation_args_dict.get('empty') or invocation_args_dict.get('sample')
    )) }}
{%- endmacro %}

{# Ids of the models that one descends from, added to those in `found`. #}
{% macro models_behind(unique_id, found) -%}
    {%- for parent in graph.nodes[unique_id].depends_on.nodes
        if parent.startswith('model.') and parent not in found -%}
        {%- do found.append(parent) -%}
        {%- do models_behind(parent, found) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{# In the transaction in which the rows of a model are written: what they are made of. #}
{% macro remember_built_parts() -%}
{%- if execute and target.type == 'duckdb' and is_there('built_parts') -%}
delete from {{ relation_of('built_parts') }}
where model_name = '{{ model.name }}'
{%- if is_built_from_its_files(model.unique_id) %};

insert into {{ relation_of('built_parts') }} by name
select
    '{{ model.name }}' as model_name,
    file_name as part,
    input_fingerprint,
    (select count(*) from {{ this }}) as n_rows
from ({{ line_states() }}) as states
qualify last_line = max(last_line) over ()
{%- endif -%}
{%- endif -%}
{%- endmacro %}

{# Before the rows of weeks are made: what the rows are no longer made of. #}
{% macro forget_weeks_to_build() -%}
{%- if execute and target.type == 'duckdb' and is_there('built_parts') -%}
delete from {{ relation_of('built_parts') }}
where
    model_name = '{{ model.name }}'
    {%- if has_earlier_parts() %}
    and part not in (
        select cast(week_start_date as varchar)
        from {{ relation_of('int_event_inputs') }}
        where week_start_date not in ({{ weeks_to_build() }})
    )
    {%- endif -%}
{%- endif -%}
{%- endmacro %}

{# In the transaction in which the rows of weeks are written: what those of the weeks that
   were made are made of, and how many rows there are now. #}
{% macro remember_built_weeks() -%}
{%- if execute and target.type == 'duckdb' and is_there('built_parts') -%}
{%- if is_built_from_its_files(model.unique_id) -%}
insert into {{ relation_of('built_parts') }} by name
select
    '{{ model.name }}' as model_name,
    cast(week_start_date as varchar) as part,
    input_fingerprint,
    false as is_tested
from {{ relation_of('int_event_inputs') }}
where cast(week_start_date as varchar) not in (
    select part from {{ relation_of('built_parts') }}
    where model_name = '{{ model.name }}'
);

update {{ relation_of('built_parts') }}
set n_rows = (select count(*) from {{ this }})
where model_name = '{{ model.name }}'
{%- else -%}
delete from {{ relation_of('built_parts') }}
where model_name = '{{ model.name }}'
{%- endif -%}
{%- endif -%}
{%- endmacro %}

{# The models that are made week by week. #}
{% macro models_by_week() -%}
    {{ return(
        graph.nodes.values()
        | selectattr('resource_type', 'equalto', 'model')
        | selectattr('config.incremental_strategy', 'equalto', 'weeks')
        | list
    ) }}
{%- endmacro %}

{# A relation, or of a model that is made week by week the rows that were not tested since
   they were made. #}
{% macro of_untested_weeks(relation) -%}
{%- set nodes = models_by_week()
    | selectattr('relation_name', 'equalto', relation | string) | list
    if execute and is_there('built_parts') else [] -%}
{{ return(
    '(select * from ' ~ relation ~ ' where coalesce(cast(' ~ nodes[0].config.meta.week
    ~ ' as varchar) not in (select part from ' ~ relation_of('built_parts')
    ~ " where model_name = '" ~ nodes[0].name ~ "' and is_tested), true)"
    ~ ') as of_untested_weeks'
    if nodes else relation
) }}
{%- endmacro %}

{# At the end of a build, which none reaches whose tests have failed. #}
{% macro remember_tested_weeks() -%}
{%- for node in models_by_week() -%}
    {%- set left_out = graph.nodes.values()
        | selectattr('resource_type', 'equalto', 'test')
        | selectattr('attached_node', 'equalto', node.unique_id)
        | map(attribute='unique_id')
        | reject('in', selected_resources) | list -%}
    {%- if not left_out %}
update {{ relation_of('built_parts') }}
set is_tested = true
where model_name = '{{ node.name }}';
    {%- endif -%}
{%- endfor -%}
{%- endmacro %}

{# In an incremental build `fct_visits` keeps its rows, but which users and coupons stand in
   a list, and when a sale begins, may have changed. #}
{% macro renew_listings_of_visits() -%}
{%- if has_earlier_parts() -%}
update {{ this }} as visits
set is_listed_user = not visits.is_listed_user
where
    visits.is_listed_user
    != (visits.user_id in (select user_id from {{ relation_of('dim_users') }}));

update {{ this }} as visits
set
    is_listed_coupon = listed.is_listed,
    is_before_sale = visits.visited_at < listed.sale_start_at
from (
    select
        keys.coupon_id,
        coupons.coupon_id is not null as is_listed,
        coupons.sale_start_at
    from {{ relation_of('int_coupon_keys') }} as keys
    left join {{ relation_of('dim_coupons') }} as coupons
        on keys.coupon_id = coupons.coupon_id
) as listed
where
    visits.coupon_id = listed.coupon_id
    and (
        visits.is_listed_coupon != listed.is_listed
        or visits.is_before_sale is distinct from visits.visited_at < listed.sale_start_at
    )
{%- endif -%}
{%- endmacro %}
