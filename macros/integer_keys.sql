{# Integer keys for the hashes of one column in several models: numbered in the order in
   which they were first seen, then of the hashes. Equal files give equal keys, and what
   a new week brings is numbered after what was there, which keeps its keys. `models`
   holds each model with its column that tells when; none if it tells nothing. #}
{% macro integer_keys(column, key, models) -%}
with found as (
    {% for model, time in models -%}
    select
        {{ column }},
        {{ 'min(' ~ time ~ ')' if time
            else 'cast(null as ' ~ sql_type('timestamp') ~ ')' }} as first_seen_at
    from {{ model }}
    group by {{ column }}
    {%- if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
),

first_seen as (
    select
        {{ column }},
        min(first_seen_at) as first_seen_at
    from found
    where {{ column }} is not null
    group by {{ column }}
)

select
    cast(row_number() over (
        order by first_seen_at nulls last, {{ column }}
    ) as integer) as {{ key }},
    {{ column }}
from first_seen
{%- endmacro %}
