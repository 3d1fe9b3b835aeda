{# Integer keys for the hashes of one column in several models: numbered in the order of
   the hashes, so that equal files give equal keys. #}
{% macro integer_keys(column, key, models) -%}
with found as (
    {% for model in models -%}
    select distinct {{ column }} from {{ model }}
    {%- if not loop.last %}
    union distinct
    {% endif %}
    {%- endfor %}
)

select
    cast(row_number() over (order by {{ column }}) as integer) as {{ key }},
    {{ column }}
from found
where {{ column }} is not null
{%- endmacro %}
