{# How many standard deviations a count lies from what was expected of it, if nothing but
   chance moves it (Poisson): the transform of Freeman and Tukey (1950), nearly normal for
   small counts too. #}
{% macro count_deviation(n, expected) -%}
    abs(sqrt({{ n }}) + sqrt({{ n }} + 1) - sqrt(4 * {{ expected }} + 1))
{%- endmacro %}
