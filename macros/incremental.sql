{# Incremental builds: `dbt build --vars '{incremental: true}'` computes only the cutoffs
   whose inputs have changed since they were built. See docs/incremental.md. #}

{# Only DuckDB's builds can be incremental; elsewhere, and without the variable, everything
   is computed anew. #}
{% macro is_incremental_build() -%}
    {{ return(var('incremental') and target.type == 'duckdb') }}
{%- endmacro %}

{# The models that an incremental build computes cutoff by cutoff. #}
{% macro models_by_cutoff() -%}
    {{ return(
        graph.nodes.values()
        | selectattr('resource_type', 'equalto', 'model')
        | selectattr('config.meta.by_cutoff', 'true')
        | list
    ) }}
{%- endmacro %}

{# A model's relation without a dependency on it. #}
{% macro relation_of(name) -%}
    {{ return(graph.nodes['model.' ~ project_name ~ '.' ~ name].relation_name) }}
{%- endmacro %}

{# The strategy of these models: rows of the cutoffs that were computed take the place of
   what was there of them, rows of cutoffs that are no longer in use go. A model may hold
   other cutoffs as well; only those that this build computes are taken. #}
{% macro get_incremental_cutoffs_sql(arguments) -%}
{%- set columns = get_quoted_csv(arguments.dest_columns | map(attribute='name')) -%}
{%- set to_build = 'select cutoff_date from ' ~ relation_of('int_cutoffs_to_build') -%}
    delete from {{ arguments.target_relation }}
    where
        cutoff_date in ({{ to_build }})
        or cutoff_date not in (select cutoff_date from {{ relation_of('cutoffs') }});

    insert into {{ arguments.target_relation }} ({{ columns }})
    select {{ columns }}
    from {{ arguments.temp_relation }}
    where cutoff_date in ({{ to_build }})
{%- endmacro %}

{# At the start: whoever computes such a model otherwise than by an incremental build
   forfeits what was kept of earlier builds, until everything was built again. #}
{% macro forget_finished_cutoffs() -%}
{%- if execute and target.type == 'duckdb' and not is_incremental_build()
    and flags.WHICH in ['build', 'run'] -%}
    {%- set built = models_by_cutoff() | map(attribute='unique_id')
        | select('in', selected_resources) | list -%}
    {%- set finished = graph.nodes['model.' ~ project_name ~ '.int_finished_cutoffs'] -%}
    {%- if built and adapter.get_relation(
        finished.database, finished.schema, finished.alias
    ) -%}
delete from {{ finished.relation_name }}
    {%- endif -%}
{%- endif -%}
{%- endmacro %}

{# Before anything is computed of them, the cutoffs of this build count as unfinished. #}
{% macro forget_cutoffs_to_build() -%}
{%- if execute and target.type == 'duckdb' -%}
delete from {{ relation_of('int_finished_cutoffs') }}
where cutoff_date in (select cutoff_date from {{ this }})
{%- endif -%}
{%- endmacro %}

{# At the end, if everything was to be built: all cutoffs in use are finished. #}
{% macro remember_finished_cutoffs() -%}
{%- if execute and target.type == 'duckdb' -%}
    {%- set left_out = models_by_cutoff() | map(attribute='unique_id')
        | reject('in', selected_resources) | list -%}
    {%- if not left_out -%}
delete from {{ relation_of('int_finished_cutoffs') }};

insert into {{ relation_of('int_finished_cutoffs') }} by name
select * from {{ relation_of('int_cutoff_inputs') }}
    {%- endif -%}
{%- endif -%}
{%- endmacro %}

{# The variables on the command line as a short text: other settings, other features. #}
{% macro variables_of_this_build() -%}
{%- set variables = dict(invocation_args_dict.get('vars') or {}) -%}
{%- do variables.pop('incremental', none) -%}
{{ return(local_md5(tojson(variables, sort_keys=true))) }}
{%- endmacro %}

{# What a generic test looks at: in an incremental build, of a model that is computed
   cutoff by cutoff, the rows of the cutoffs that were computed. Takes the place of dbt's
   own macro. #}
{% macro get_where_subquery(relation) -%}
{%- set where = [config.get('where')] | select | list -%}
{%- if is_incremental_build() and execute
    and relation.render() in models_by_cutoff() | map(attribute='relation_name') -%}
    {%- do where.append(
        'cutoff_date in (select cutoff_date from '
        ~ relation_of('int_cutoffs_to_build') ~ ')'
    ) -%}
{%- endif -%}
{{ return(
    '(select * from ' ~ relation ~ ' where ' ~ where | join(' and ') ~ ')'
    if where else relation
) }}
{%- endmacro %}
