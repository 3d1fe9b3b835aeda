{# Every row holds a value in each of the columns; null and empty text both fail. One
   scan for all columns, because a source may be a large CSV. #}
{% test complete_rows(model, columns) %}
    select *
    from {{ model }}
    where
        {% for column in columns -%}
            coalesce(cast({{ column }} as {{ dbt.type_string() }}), '') = ''
            {%- if not loop.last %} or {% endif %}
        {% endfor %}
{% endtest %}
