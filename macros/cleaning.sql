{# Text without surrounding blanks; an empty text is null. #}
{% macro clean_text(column) -%}
    nullif({{ trimmed(column) }}, '')
{%- endmacro %}

{# The Sunday on or before a timestamp or date. #}
{% macro sunday_of(expression) -%}
    {%- set day = 'cast(' ~ expression ~ ' as date)' -%}
    cast({{ dbt.dateadd('day', '-1 * cast(' ~ day_of_week(day) ~ ' as integer)', day) }} as date)
{%- endmacro %}

{# A band of discount prices in yen. The bounds are round numbers and stay as they are:
   quantiles would depend on coupons that come later. #}
{% macro price_band(price) -%}
    case
        {% for low, high in [
            (0, 100), (101, 1000), (1001, 2000), (2001, 3000), (3001, 5000), (5001, 10000)
        ] -%}
        when {{ price }} <= {{ high }} then '{{ low }}-{{ high }} yen'
        {% endfor -%}
        else 'above 10000 yen'
    end
{%- endmacro %}

{# Ten years of age as text; the young and the old are few and share a band. #}
{% macro age_band(age) -%}
    case
        when {{ age }} < 20 then 'below 20'
        {% for start in [20, 30, 40, 50, 60] -%}
        when {{ age }} < {{ start + 10 }} then '{{ start }}-{{ start + 9 }}'
        {% endfor -%}
        else '70 and above'
    end
{%- endmacro %}

{# A band of distances in km; the upper bound belongs to the band. #}
{% macro distance_bin(distance) -%}
    case
        when {{ distance }} = 0 then '0 km'
        {% for low, high in [(0, 50), (50, 100), (100, 150), (150, 250), (250, 500)] -%}
        when {{ distance }} <= {{ high }} then '{{ low }}-{{ high }} km'
        {% endfor -%}
        else '500+ km'
    end
{%- endmacro %}
