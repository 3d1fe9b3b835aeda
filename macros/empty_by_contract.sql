{# A query with the columns of the model's contract and no rows: for tables whose rows
   `python -m ml.train` writes. dbt only creates the table. #}
{% macro empty_by_contract() -%}
select
    {% for column in model['columns'].values() -%}
    cast(null as {{ sql_type(column['data_type']) }}) as {{ column['name'] }}
    {%- if not loop.last %},
    {% endif %}
    {%- endfor %}
from (select 1 as one)
where false
{%- endmacro %}
