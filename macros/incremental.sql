{# Incremental builds: `dbt build --vars '{incremental: true}'` computes only the cutoffs
   whose inputs have changed since they were built. See docs/incremental.md. #}

{# Only DuckDB's builds can be incremental; elsewhere, without the variable and with
   --full-refresh everything is computed anew. #}
{% macro is_incremental_build() -%}
    {{ return(var('incremental') and target.type == 'duckdb' and not flags.FULL_REFRESH) }}
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

{# At the start of a build. What was kept of earlier builds is forfeited if models by
   cutoff are built otherwise than by an incremental build with all that decides what is
   computed, or if one of them is not there. Alone they can't be built where the tables
   that they start from hold but the cutoffs of an incremental build. #}
{% macro forget_finished_cutoffs() -%}
{%- if execute and target.type == 'duckdb' and flags.WHICH in ['build', 'run'] -%}
    {%- set built = models_by_cutoff() | map(attribute='unique_id')
        | select('in', selected_resources) | list -%}
    {%- set to_build = 'model.' ~ project_name ~ '.int_cutoffs_to_build' -%}
    {%- set inputs = 'model.' ~ project_name ~ '.int_cutoff_inputs' -%}
    {%- if built and to_build not in selected_resources and not is_incremental_build() -%}
        {%- do refuse_to_build_a_part_of_the_cutoffs(built) -%}
    {%- endif -%}
    {%- set is_sound = is_incremental_build() and not lacking_models_by_cutoff()
        and to_build in selected_resources and inputs in selected_resources -%}
    {%- if built and not is_sound and is_there('int_finished_cutoffs') -%}
delete from {{ relation_of('int_finished_cutoffs') }}
    {%- endif -%}
{%- endif -%}
{%- endmacro %}

{# Whether the relation of a model exists. #}
{% macro is_there(name) -%}
    {%- set node = graph.nodes['model.' ~ project_name ~ '.' ~ name] -%}
    {{ return(adapter.get_relation(node.database, node.schema, node.alias) is not none) }}
{%- endmacro %}

{# The models by cutoff that have no relation yet, or have one no longer. #}
{% macro lacking_models_by_cutoff() -%}
    {%- set lacking = [] -%}
    {%- for node in models_by_cutoff() if not is_there(node.name) -%}
        {%- do lacking.append(node.name) -%}
    {%- endfor -%}
    {{ return(lacking) }}
{%- endmacro %}

{# Ends the command if a model would be built of the cutoffs of the last build alone. #}
{% macro refuse_to_build_a_part_of_the_cutoffs(built) -%}
    {%- if is_there('int_cutoffs_to_build') and is_there('cutoffs') -%}
        {%- set lacking = run_query(
            'select count(*) from ' ~ relation_of('cutoffs')
            ~ ' where cutoff_date not in (select cutoff_date from '
            ~ relation_of('int_cutoffs_to_build') ~ ')'
        ).columns[0].values()[0] -%}
        {%- if lacking -%}
            {{ exceptions.raise_compiler_error(
                'the last build was incremental, so ' ~ built[0].split('.')[-1]
                ~ ' alone would lack ' ~ lacking
                ~ ' cutoffs: build everything, or `--select int_cutoffs_to_build+`'
            ) }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{# Before anything is computed of them, the cutoffs of this build count as unfinished, and
   so do those no longer in use, whose rows go. #}
{% macro forget_cutoffs_to_build() -%}
{%- if execute and target.type == 'duckdb' -%}
delete from {{ relation_of('int_finished_cutoffs') }}
where
    cutoff_date in (select cutoff_date from {{ this }})
    or cutoff_date not in (select cutoff_date from {{ relation_of('cutoffs') }})
{%- endif -%}
{%- endmacro %}

{# At the end, if every model and seed of the project was to be built: all cutoffs in use
   are finished, and weeks whose tests were to be run are tested. #}
{% macro remember_finished_cutoffs() -%}
{%- if execute and target.type == 'duckdb' -%}
    {%- set left_out = graph.nodes.values()
        | selectattr('resource_type', 'in', ['model', 'seed'])
        | map(attribute='unique_id')
        | reject('in', selected_resources) | list -%}
    {%- if not left_out -%}
delete from {{ relation_of('int_finished_cutoffs') }};

insert into {{ relation_of('int_finished_cutoffs') }} by name
select * from {{ relation_of('int_cutoff_inputs') }};

{{ remember_tested_weeks() }}
    {%- endif -%}
{%- endif -%}
{%- endmacro %}

{# The variables on the command line as a short text: other settings, other features. #}
{% macro variables_of_this_build() -%}
{%- set variables = dict(invocation_args_dict.get('vars') or {}) -%}
{%- do variables.pop('incremental', none) -%}
{{ return(local_md5(tojson(variables, sort_keys=true))) }}
{%- endmacro %}

{# What a test looks at: in an incremental build, of a model that is computed cutoff by
   cutoff the rows of the last build, of one that is made week by week those not yet
   tested. #}
{% macro looked_at(relation) -%}
{{ return(
    of_untested_weeks(of_cutoffs_to_build(relation)) if is_incremental_build()
    else relation
) }}
{%- endmacro %}

{# What a generic test looks at. Takes the place of dbt's own macro. #}
{% macro get_where_subquery(relation) -%}
{%- set where = config.get('where') -%}
{{ return(
    '(select * from ' ~ looked_at(relation) ~ ' where ' ~ where ~ ') as dbt_subquery'
    if where else looked_at(relation)
) }}
{%- endmacro %}

{# A relation, or of a model that is computed cutoff by cutoff the rows of the cutoffs
   that the last build computed: all that the tables hold that it was made from. #}
{% macro of_cutoffs_to_build(relation) -%}
{%- set narrowed = execute
    and relation | string in models_by_cutoff() | map(attribute='relation_name') -%}
{{ return(
    '(select * from ' ~ relation ~ ' where cutoff_date in (select cutoff_date from '
    ~ relation_of('int_cutoffs_to_build') ~ ')) as of_cutoffs_to_build'
    if narrowed else relation
) }}
{%- endmacro %}
