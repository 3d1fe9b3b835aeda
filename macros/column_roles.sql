{# The contract of some models as rows: what their YAML says of each column. `ml` reads
   it from the warehouse, so that a new feature is a change of SQL and YAML alone. #}
{% macro column_roles(model_names) -%}
{%- set rows = [] -%}
{%- if execute -%}
    {%- for node in graph.nodes.values()
        if node.resource_type == 'model' and node.name in model_names -%}
        {%- for column in node.columns.values() -%}
            {%- set meta = column.config.meta -%}
            {%- do rows.append((
                node.name, loop.index, column.name, column.data_type,
                meta.get('role', ''), meta.get('group', ''),
                meta.get('reason', ''), meta.get('reason_when', ''),
                meta.get('reason_limit', 'null'),
                meta.get('reason_needs', ''), meta.get('reason_needs_at_most', 'null'),
                meta.get('level', 'pair' if meta.get('role') == 'feature' else ''),
            )) -%}
        {%- endfor -%}
    {%- endfor -%}
{%- endif -%}
{%- for row in rows | sort %}
select
    {{ dbt.string_literal(row[0]) }} as mart_name,
    {{ row[1] }} as position,
    {{ dbt.string_literal(row[2]) }} as column_name,
    {{ dbt.string_literal(row[3]) }} as data_type,
    {{ dbt.string_literal(row[4]) }} as role,
    {{ dbt.string_literal(row[5]) }} as feature_group,
    {{ dbt.string_literal(dbt.escape_single_quotes(row[6])) }} as reason,
    {{ dbt.string_literal(row[7]) }} as reason_when,
    cast({{ row[8] }} as {{ sql_type('double') }}) as reason_limit,
    {{ dbt.string_literal(row[9]) }} as reason_needs,
    cast({{ row[10] }} as {{ sql_type('double') }}) as reason_needs_at_most,
    {{ dbt.string_literal(row[11]) }} as level
{%- if not loop.last %}
union all
{%- endif %}
{%- else %}
select
    '' as mart_name,
    0 as position,
    '' as column_name,
    '' as data_type,
    '' as role,
    '' as feature_group,
    '' as reason,
    '' as reason_when,
    cast(null as {{ sql_type('double') }}) as reason_limit,
    '' as reason_needs,
    cast(null as {{ sql_type('double') }}) as reason_needs_at_most,
    '' as level
{%- endfor %}
{%- endmacro %}
