{# What differs between engines, and nothing else. Each macro has one implementation
   per engine behind adapter.dispatch, the default being DuckDB's; models hold only SQL
   that the engines share. #}

{# A type by the name that contracts use, DuckDB's, as the engine calls it. #}
{% macro sql_type(name) -%}
    {{ return(adapter.dispatch('sql_type', 'ponpare')(name)) }}
{%- endmacro %}

{% macro default__sql_type(name) -%}
    {{ return(name) }}
{%- endmacro %}

{% macro bigquery__sql_type(name) -%}
    {{ return({
        'varchar': 'string',
        'smallint': 'int64',
        'integer': 'int64',
        'bigint': 'int64',
        'float': 'float64',
        'double': 'float64',
        'timestamp': 'datetime',
        'decimal(18, 12)': 'bignumeric(18, 12)',
    }.get(name | lower, name)) }}
{%- endmacro %}

{# Days since Sunday: Sunday is 0, Saturday 6. #}
{% macro day_of_week(date_expression) -%}
    {{ return(adapter.dispatch('day_of_week', 'ponpare')(date_expression)) }}
{%- endmacro %}

{% macro default__day_of_week(date_expression) -%}
    extract(dow from {{ date_expression }})
{%- endmacro %}

{% macro bigquery__day_of_week(date_expression) -%}
    (extract(dayofweek from {{ date_expression }}) - 1)
{%- endmacro %}

{# A number in 1 .. 2147483646 that depends on the text alone. #}
{% macro text_seed(text_expression) -%}
    {{ return(adapter.dispatch('text_seed', 'ponpare')(text_expression)) }}
{%- endmacro %}

{% macro default__text_seed(text_expression) -%}
    cast(md5_number_lower({{ text_expression }}) % 2147483646 + 1 as bigint)
{%- endmacro %}

{# The same number: DuckDB reads the last eight bytes of the MD5 from the last to the
   first, as a number of 64 bits without a sign. BigQuery's whole numbers are too short for
   it, but 2 to the power of 32 leaves 4. #}
{% macro bigquery__text_seed(text_expression) -%}
    {%- set digits = 'to_hex(reverse(md5(' ~ text_expression ~ ')))' -%}
    (mod(
        4 * cast(concat('0x', substr({{ digits }}, 1, 8)) as int64)
        + cast(concat('0x', substr({{ digits }}, 9, 8)) as int64),
        2147483646
    ) + 1)
{%- endmacro %}

{# Seconds since 1970-01-01 00:00:00, as an integer. #}
{% macro epoch_seconds(timestamp_expression) -%}
    {{ return(adapter.dispatch('epoch_seconds', 'ponpare')(timestamp_expression)) }}
{%- endmacro %}

{% macro default__epoch_seconds(timestamp_expression) -%}
    cast(floor(epoch({{ timestamp_expression }})) as bigint)
{%- endmacro %}

{% macro bigquery__epoch_seconds(timestamp_expression) -%}
    unix_seconds(timestamp({{ timestamp_expression }}, 'UTC'))
{%- endmacro %}

{# The mean of an expression, the same but for the last bit in whatever order the rows
   come. #}
{% macro stable_mean(expression) -%}
    {{ return(adapter.dispatch('stable_mean', 'ponpare')(expression)) }}
{%- endmacro %}

{% macro default__stable_mean(expression) -%}
    favg({{ expression }})
{%- endmacro %}

{% macro bigquery__stable_mean(expression) -%}
    cast(avg(cast({{ expression }} as bignumeric)) as float64)
{%- endmacro %}

{# An array of quantiles, each a value that occurs; nulls do not count. #}
{% macro quantiles(expression, levels) -%}
    {{ return(adapter.dispatch('quantiles', 'ponpare')(expression, levels)) }}
{%- endmacro %}

{% macro default__quantiles(expression, levels) -%}
    quantile_disc({{ expression }}, [{{ levels | join(', ') }}])
{%- endmacro %}

{# Approximate, by at most about one percent of the rows: BigQuery has no exact one that
   aggregates. #}
{% macro bigquery__quantiles(expression, levels) -%}
    [
        {%- for level in levels -%}
        approx_quantiles({{ expression }}, 100)[offset({{ (100 * level) | round | int }})]
        {%- if not loop.last %}, {% endif -%}
        {%- endfor -%}
    ]
{%- endmacro %}

{# One element of an array, counted from 1. #}
{% macro array_element(array, position) -%}
    {{ return(adapter.dispatch('array_element', 'ponpare')(array, position)) }}
{%- endmacro %}

{% macro default__array_element(array, position) -%}
    {{ array }}[{{ position }}]
{%- endmacro %}

{% macro bigquery__array_element(array, position) -%}
    {{ array }}[safe_ordinal({{ position }})]
{%- endmacro %}

{# A value of another type, or null if it cannot be converted. #}
{% macro cast_or_null(expression, type) -%}
    {{ return(adapter.dispatch('cast_or_null', 'ponpare')(expression, type)) }}
{%- endmacro %}

{% macro default__cast_or_null(expression, type) -%}
    try_cast({{ expression }} as {{ type }})
{%- endmacro %}

{% macro bigquery__cast_or_null(expression, type) -%}
    safe_cast({{ expression }} as {{ sql_type(type) }})
{%- endmacro %}

{# An expression that ends the query with an error, whose text is another expression. #}
{% macro raise_error(message) -%}
    {{ return(adapter.dispatch('raise_error', 'ponpare')(message)) }}
{%- endmacro %}

{% macro default__raise_error(message) -%}
    error({{ message }})
{%- endmacro %}

{# The value in the middle, or the mean of the two there; nulls do not count. #}
{% macro median(expression) -%}
    {{ return(adapter.dispatch('median', 'ponpare')(expression)) }}
{%- endmacro %}

{% macro default__median(expression) -%}
    median({{ expression }})
{%- endmacro %}

{# A value that occurs, and approximate. #}
{% macro bigquery__median(expression) -%}
    approx_quantiles({{ expression }}, 2)[offset(1)]
{%- endmacro %}
