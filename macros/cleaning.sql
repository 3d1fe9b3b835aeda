{# Text without surrounding blanks; an empty text is null. #}
{% macro clean_text(column) -%}
    nullif(trim({{ column }}), '')
{%- endmacro %}

{# The Sunday on or before a timestamp or date. #}
{% macro sunday_of(expression) -%}
    {%- set day = 'cast(' ~ expression ~ ' as date)' -%}
    cast({{ dbt.dateadd('day', '-1 * cast(' ~ day_of_week(day) ~ ' as integer)', day) }} as date)
{%- endmacro %}
