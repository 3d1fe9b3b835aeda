{# Schemas are named plainly: `core`, not `main_core`. A scratch warehouse is a file
   of its own, so no prefix is needed to keep targets apart. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
