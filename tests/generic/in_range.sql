{# Values lie between the bounds, both included; a bound may be left out. Null passes:
   where it must not, say so with not_null. #}
{% test in_range(model, column_name, min_value=none, max_value=none) %}
    select {{ column_name }}
    from {{ model }}
    where
        false
        {% if min_value is not none %}or {{ column_name }} < {{ min_value }}{% endif %}
{% if max_value is not none %}or {{ column_name }} > {{ max_value }}{% endif %}
{% endtest %}
