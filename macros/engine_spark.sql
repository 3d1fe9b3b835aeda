{# What dbt's own macros do otherwise on Spark: those here take the place of dbt-spark's.
   Times have no time zone and nulls stay nulls, as on the other engines. #}

{# A timestamp; dbt-spark's ends the query at a null. #}
{% macro spark__dateadd(datepart, interval, from_date_or_timestamp) -%}
    timestampadd(
        {{ datepart }},
        cast({{ interval }} as integer),
        cast({{ from_date_or_timestamp }} as timestamp_ntz)
    )
{%- endmacro %}

{# Midnights between two times; dbt-spark's ends the query at a null. #}
{% macro spark__datediff(first_date, second_date, datepart) -%}
    {%- if datepart != 'day' -%}
        {{ exceptions.raise_compiler_error('on Spark the project counts days only') }}
    {%- endif -%}
    datediff(cast({{ second_date }} as date), cast({{ first_date }} as date))
{%- endmacro %}

{# The rows of a seed as literals; dbt-spark's turns an empty field into the text None and
   breaks at an apostrophe. #}
{% macro spark__load_csv_rows(model, agate_table) -%}
    {%- set types = model.config.get('column_types', {}) -%}
    {%- set statement -%}
        insert into {{ this.render() }} values
        {% for row in agate_table.rows -%}
        (
            {%- for name in agate_table.column_names -%}
            {%- set value = row[loop.index0] -%}
            {%- set type = types.get(name, adapter.convert_type(agate_table, loop.index0)) -%}
            cast(
                {%- if value is none %} null
                {%- else %} '{{ dbt.escape_single_quotes(value | string) }}'
                {%- endif %} as {{ type }})
            {%- if not loop.last %}, {% endif -%}
            {%- endfor -%}
        )
        {%- if not loop.last %},{% endif %}
        {% endfor -%}
    {%- endset -%}
    {%- do adapter.add_query(statement, abridge_sql_log=True) -%}
    {{ return(statement) }}
{%- endmacro %}

{# Writes every mart, tables and views alike, as Parquet into directories named
   <schema>.<mart>: `dbt run-operation export_marts --args '{directory: ...}'`. #}
{% macro export_marts(directory) -%}
    {%- for node in graph.nodes.values()
        if node.resource_type == 'model' and 'marts' in node.fqn -%}
        {%- set relation = node.schema ~ '.' ~ node.alias -%}
        {%- do run_query(
            'insert overwrite directory ' ~ dbt.string_literal(directory ~ '/' ~ relation)
            ~ ' using parquet select * from ' ~ relation
        ) -%}
    {%- endfor -%}
{%- endmacro %}
