-- What `macros/engine.sql` says of values whose answer is known, on every engine. That
-- of `text_seed` is from Python: int.from_bytes(md5(b'ponpare').digest()[8:], 'little')
-- % 2147483646 + 1.
{%- set numbers -%}
(
    select 1 as number
    union all
    select 2 as number
    union all
    select 3 as number
    union all
    select null as number
)
{%- endset %}
{%- set sunday = "cast('2012-06-17' as date)" %}
{%- set moment = "cast('2012-06-17 00:00:01' as " ~ sql_type('timestamp') ~ ')' %}

with answers as (
    select
        'day_of_week' as macro_name,
        cast({{ day_of_week(sunday) }} as {{ sql_type('double') }}) as answer,
        0 as expected
    union all
    select
        'day_of_week' as macro_name,
        cast(
            {{ day_of_week(dbt.dateadd('day', 6, sunday)) }} as {{ sql_type('double') }}
        )
            as answer,
        6 as expected
    union all
    select
        'text_seed' as macro_name,
        cast({{ text_seed("'ponpare'") }} as {{ sql_type('double') }}) as answer,
        379586229 as expected
    union all
    select
        'epoch_seconds' as macro_name,
        cast({{ epoch_seconds(moment) }} as {{ sql_type('double') }}) as answer,
        1339891201 as expected
    union all
    select
        'cast_or_null' as macro_name,
        cast({{ cast_or_null("'12'", 'integer') }} as {{ sql_type('double') }})
            as answer,
        12 as expected
    union all
    select
        'cast_or_null' as macro_name,
        coalesce(
            cast({{ cast_or_null("'twelve'", 'integer') }} as {{ sql_type('double') }}),
            -1
        ) as answer,
        -1 as expected
    union all
    select
        'stable_mean' as macro_name,
        {{ stable_mean('number') }} as answer,
        2 as expected
    from {{ numbers }} as numbers
)

select * from answers
where answer is null or answer != expected
