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

{# No time zone is applied to the files' times. #}
{% macro spark__sql_type(name) -%}
    {{ return({
        'varchar': 'string',
        'timestamp': 'timestamp_ntz',
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

{% macro spark__day_of_week(date_expression) -%}
    (dayofweek({{ date_expression }}) - 1)
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

{# The same number, from the 32 digits of the MD5: two digits a byte, the last byte first. #}
{% macro spark__text_seed(text_expression) -%}
    {%- set bytes = [] -%}
    {%- for start in range(31, 15, -2) -%}
        {%- do bytes.append('substring(md5(' ~ text_expression ~ '), ' ~ start ~ ', 2)') -%}
    {%- endfor -%}
    cast(
        cast(conv(concat({{ bytes | join(', ') }}), 16, 10) as decimal(20, 0)) % 2147483646 + 1
        as bigint
    )
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

{# From the parts of the time, for a conversion would apply the session's time zone. #}
{% macro spark__epoch_seconds(timestamp_expression) -%}
    (
        86400 * cast(unix_date(cast({{ timestamp_expression }} as date)) as bigint)
        + 3600 * hour({{ timestamp_expression }})
        + 60 * minute({{ timestamp_expression }})
        + second({{ timestamp_expression }})
    )
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

{# A plain mean: Spark has no sum that is compensated, and its decimals hold too few digits
   for squares of large values and small rates alike. #}
{% macro spark__stable_mean(expression) -%}
    avg(cast({{ expression }} as double))
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

{# The values are sorted once, and read at the places of the levels. #}
{% macro spark__quantiles(expression, levels) -%}
    get(transform(array(sort_array(collect_list({{ expression }}))), v -> array(
        {%- for level in levels -%}
        get(v, cast(greatest(ceil(size(v) * {{ level }}), 1) as integer) - 1)
        {%- if not loop.last %}, {% endif -%}
        {%- endfor -%}
    )), 0)
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

{% macro spark__array_element(array, position) -%}
    get({{ array }}, {{ position }} - 1)
{%- endmacro %}

{# Text without the blanks around it that the engine's `trim` takes off. #}
{% macro trimmed(column) -%}
    {{ return(adapter.dispatch('trimmed', 'ponpare')(column)) }}
{%- endmacro %}

{# DuckDB's `trim` looks at each character for blanks of any script; most texts are plain
   ASCII without any at their ends, which is found out in a tenth of the time. #}
{% macro default__trimmed(column) -%}
    case
        when
            {{ column }} >= '!'
            and not ends_with({{ column }}, ' ')
            and strlen({{ column }}) = length({{ column }})
            then {{ column }}
        else trim({{ column }})
    end
{%- endmacro %}

{% macro bigquery__trimmed(column) -%}
    trim({{ column }})
{%- endmacro %}

{% macro spark__trimmed(column) -%}
    trim({{ column }})
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

{# Spark alone reads a year or a month as a date, 12d as a number and digits of any
   script, and reads neither 2012/06/17 nor, as a whole number, 12.0. #}
{% macro spark__cast_or_null(expression, type) -%}
    {%- set is_time = type in ['date', 'timestamp'] -%}
    {%- set shape = '[0-9]+[-/][0-9]+[-/][0-9]+([ T][0-9]+:[0-9]+(:[0-9]+([.][0-9]+)?)?)?'
        if is_time else '[-+.0-9eE]+' -%}
    case
        when {{ expression }} rlike '^{{ shape }}$'
            then
                {% if is_time -%}
                try_cast(replace({{ expression }}, '/', '-') as {{ sql_type(type) }})
                {%- elif type in ['smallint', 'integer', 'bigint'] -%}
                try_cast(
                    round(try_cast({{ expression }} as decimal(38, 10))) as {{ type }}
                )
                {%- else -%}
                try_cast({{ expression }} as {{ sql_type(type) }})
                {%- endif %}
    end
{%- endmacro %}

{# An expression that ends the query with an error, whose text is another expression. #}
{% macro raise_error(message) -%}
    {{ return(adapter.dispatch('raise_error', 'ponpare')(message)) }}
{%- endmacro %}

{% macro default__raise_error(message) -%}
    error({{ message }})
{%- endmacro %}

{% macro spark__raise_error(message) -%}
    raise_error({{ message }})
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

{# Texts of a group as one, in the order of an expression. #}
{% macro joined_text(expression, delimiter, order_by) -%}
    {{ return(adapter.dispatch('joined_text', 'ponpare')(expression, delimiter, order_by)) }}
{%- endmacro %}

{% macro default__joined_text(expression, delimiter, order_by) -%}
    string_agg({{ expression }}, {{ delimiter }} order by {{ order_by }})
{%- endmacro %}

{% macro spark__joined_text(expression, delimiter, order_by) -%}
    listagg({{ expression }}, {{ delimiter }}) within group (order by {{ order_by }})
{%- endmacro %}

{# The rows of a relation several times, each time as other columns: `rows` holds a
   mapping from names to expressions for each time, `keys` what all of them begin with. #}
{% macro stacked_rows(relation, keys, rows) -%}
    {{ return(adapter.dispatch('stacked_rows', 'ponpare')(relation, keys, rows)) }}
{%- endmacro %}

{% macro default__stacked_rows(relation, keys, rows) -%}
    {% for row in rows -%}
    select
        {{ keys | join(', ') }}
        {%- for name, expression in row.items() %},
        {{ expression }} as {{ name }}
        {%- endfor %}
    from {{ relation }}
    {%- if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
{%- endmacro %}

{# One pass over the relation: Spark computes it anew for each `select` of a union. #}
{% macro spark__stacked_rows(relation, keys, rows) -%}
    select
        {{ keys | join(', ') }}
        {%- for name in rows[0] %},
        stacked.{{ name }}
        {%- endfor %}
    from {{ relation }}
    lateral view inline(array(
        {%- for row in rows %}
        named_struct(
            {%- for name, expression in row.items() -%}
            '{{ name }}', {{ expression }}
            {%- if not loop.last %}, {% endif -%}
            {%- endfor -%}
        )
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    )) stacked as {{ rows[0] | join(', ') }}
{%- endmacro %}

{# A number that depends on all columns of all rows of a relation, whatever their order. #}
{% macro sum_of_row_hashes(relation) -%}
    {{ return(adapter.dispatch('sum_of_row_hashes', 'ponpare')(relation)) }}
{%- endmacro %}

{% macro default__sum_of_row_hashes(relation) -%}
    sum(hash({{ relation }}))
{%- endmacro %}

{% macro bigquery__sum_of_row_hashes(relation) -%}
    sum(cast(farm_fingerprint(to_json_string({{ relation }})) as bignumeric))
{%- endmacro %}

{% macro spark__sum_of_row_hashes(relation) -%}
    sum(cast(xxhash64(struct({{ relation }}.*)) as decimal(38, 0)))
{%- endmacro %}

{# Statements that make the raw files known before a build: none where they are loaded, or
   where a plugin does it. #}
{% macro register_raw_files() -%}
    {{ return(adapter.dispatch('register_raw_files', 'ponpare')()) }}
{%- endmacro %}

{% macro default__register_raw_files() -%}
{%- endmacro %}

{# Views on the Parquet files that `python -m ml.export_raw` wrote. #}
{% macro spark__register_raw_files() -%}
    {%- set directory = env_var('SPARK_RAW_DIR', '') or 'data/raw_parquet' -%}
    {%- if execute and flags.WHICH in ['build', 'run', 'seed', 'test'] -%}
        {%- do run_query('create schema if not exists raw') -%}
        {%- for table in graph.sources.values() -%}
            {%- do run_query(
                'create or replace view ' ~ table.schema ~ '.' ~ table.identifier
                ~ ' as select * from parquet.`' ~ directory ~ '/' ~ table.identifier ~ '.parquet`'
            ) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
