{# What differs between engines, and nothing else. Each macro has one implementation
   per engine behind adapter.dispatch; models hold only SQL that the engines share. #}

{# Days since Sunday: Sunday is 0, Saturday 6. #}
{% macro day_of_week(date_expression) -%}
    {{ return(adapter.dispatch('day_of_week', 'ponpare')(date_expression)) }}
{%- endmacro %}

{% macro default__day_of_week(date_expression) -%}
    extract(dow from {{ date_expression }})
{%- endmacro %}

{# A number in 1 .. 2147483646 that depends on the text alone. #}
{% macro text_seed(text_expression) -%}
    {{ return(adapter.dispatch('text_seed', 'ponpare')(text_expression)) }}
{%- endmacro %}

{% macro default__text_seed(text_expression) -%}
    cast(md5_number_lower({{ text_expression }}) % 2147483646 + 1 as bigint)
{%- endmacro %}

{# Seconds since 1970-01-01 00:00:00, as an integer. #}
{% macro epoch_seconds(timestamp_expression) -%}
    {{ return(adapter.dispatch('epoch_seconds', 'ponpare')(timestamp_expression)) }}
{%- endmacro %}

{% macro default__epoch_seconds(timestamp_expression) -%}
    cast(floor(epoch({{ timestamp_expression }})) as bigint)
{%- endmacro %}

{# The mean of an expression, the same bits in whatever order the rows come. #}
{% macro exact_mean(expression) -%}
    {{ return(adapter.dispatch('exact_mean', 'ponpare')(expression)) }}
{%- endmacro %}

{% macro default__exact_mean(expression) -%}
    favg({{ expression }})
{%- endmacro %}

{# An array of quantiles, each a value that occurs; nulls do not count. #}
{% macro quantiles(expression, levels) -%}
    {{ return(adapter.dispatch('quantiles', 'ponpare')(expression, levels)) }}
{%- endmacro %}

{% macro default__quantiles(expression, levels) -%}
    quantile_disc({{ expression }}, [{{ levels | join(', ') }}])
{%- endmacro %}

{# One element of an array, counted from 1. #}
{% macro array_element(array, position) -%}
    {{ return(adapter.dispatch('array_element', 'ponpare')(array, position)) }}
{%- endmacro %}

{% macro default__array_element(array, position) -%}
    {{ array }}[{{ position }}]
{%- endmacro %}

{# A value of another type, or null if it cannot be converted. #}
{% macro cast_or_null(expression, type) -%}
    {{ return(adapter.dispatch('cast_or_null', 'ponpare')(expression, type)) }}
{%- endmacro %}

{% macro default__cast_or_null(expression, type) -%}
    try_cast({{ expression }} as {{ type }})
{%- endmacro %}

{# An expression that ends the query with an error, whose text is another expression. #}
{% macro raise_error(message) -%}
    {{ return(adapter.dispatch('raise_error', 'ponpare')(message)) }}
{%- endmacro %}

{% macro default__raise_error(message) -%}
    error({{ message }})
{%- endmacro %}
