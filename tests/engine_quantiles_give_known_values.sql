-- What the macros for quantiles in `macros/engine.sql` say of values whose answer is
-- known.
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

with answers as (
    select
        'median' as macro_name,
        cast({{ median('number') }} as {{ sql_type('double') }}) as answer,
        2 as expected
    from {{ numbers }} as numbers
    union all
    select
        'quantiles' as macro_name,
        cast(
            {{ array_element(quantiles('number', [0.01, 0.5, 0.99]), 3) }}
            as {{ sql_type('double') }}
        ) as answer,
        3 as expected
    from {{ numbers }} as numbers
)

select * from answers
where answer is null or answer != expected
