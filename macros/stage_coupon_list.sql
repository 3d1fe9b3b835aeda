{# Both coupon lists have the same columns; they are checked and staged by the same SQL. #}
{% macro check_coupon_list(relation, listed_before=none) -%}
{%- set integers = {
    'PRICE_RATE': 'discount_rate_percent',
    'CATALOG_PRICE': 'catalog_price_yen',
    'DISCOUNT_PRICE': 'discount_price_yen',
    'DISPPERIOD': 'display_days',
    'VALIDPERIOD': 'valid_days',
} -%}
{%- set days = {'VALIDFROM': 'valid_from_date', 'VALIDEND': 'valid_until_date'} -%}
{%- set moments = {'DISPFROM': 'sale_start_at', 'DISPEND': 'sale_end_at'} -%}
{%- set rules = [rule_id('COUPON_ID_hash')] -%}
{%- for column in [
    'COUPON_ID_hash', 'GENRE_NAME', 'CAPSULE_TEXT', 'CATALOG_PRICE', 'DISCOUNT_PRICE',
    'DISPFROM', 'DISPEND',
] -%}
    {%- do rules.append(rule_present(column)) -%}
{%- endfor -%}
{%- for column, name in integers.items() -%}
    {%- do rules.append(rule_readable(column, read_integer(column), 'whole number')) -%}
{%- endfor -%}
{%- for column, name in moments.items() -%}
    {%- do rules.append(rule_readable(column, read_timestamp(column), 'date and time')) -%}
    {%- do rules.append(rule_in_calendar(column)) -%}
{%- endfor -%}
{%- for column, name in days.items() -%}
    {%- do rules.append(rule_readable(
        column, cast_or_null(clean_text(column), 'date'), 'date'
    )) -%}
{%- endfor -%}
{%- for day in usability_days() -%}
    {%- set column = 'USABLE_DATE_' ~ day.header -%}
    {%- do rules.append([
        clean_text(column) ~ " not in ('0', '1', '2')", column ~ ' is none of 0, 1, 2',
    ]) -%}
{%- endfor -%}
{%- do rules.append([
    read_integer('CATALOG_PRICE') ~ ' < 0', 'CATALOG_PRICE is negative',
]) -%}
{%- do rules.append([
    read_integer('DISCOUNT_PRICE') ~ ' < 0', 'DISCOUNT_PRICE is negative',
]) -%}
{%- do rules.append([
    read_timestamp('DISPEND') ~ ' < ' ~ read_timestamp('DISPFROM'),
    'DISPEND before DISPFROM',
]) -%}
with typed as (
    select
        {{ clean_text('COUPON_ID_hash') }} as coupon_hash,
        {{ clean_text('CAPSULE_TEXT') }} as capsule_ja,
        {{ clean_text('GENRE_NAME') }} as genre_ja,
        {{ clean_text('large_area_name') }} as large_area_ja,
        {{ clean_text('ken_name') }} as prefecture_ja,
        {{ clean_text('small_area_name') }} as small_area_ja,
        {% for column, name in integers.items() -%}
        {{ read_integer(column) }} as {{ name }},
        {% endfor -%}
        {% for day in usability_days() -%}
        {{ read_integer('USABLE_DATE_' ~ day.header) }} as {{ day.name }}_code,
        {% endfor -%}
        {% for column, name in days.items() -%}
        {{ cast_or_null(clean_text(column), 'date') }} as {{ name }},
        {% endfor -%}
        {% for column, name in moments.items() -%}
        {{ read_timestamp(column) }} as {{ name }},
        {% endfor -%}
        file_line,
        {{ csv_line(coupon_list_columns()) }} as raw_text,
        {{ first_broken(rules) }} as rule_of_the_row
    from {{ relation }}
),

earlier as (
    {% if listed_before is none -%}
    select cast(null as {{ dbt.type_string() }}) as coupon_hash
    from (select 1 as one)
    where false
    {%- else -%}
    select coupon_hash
    from {{ listed_before }}
    where rejected_because is null
    {%- endif %}
),

compared as (
    select
        typed.*,
        {{ coupon_contradiction() }} as contradiction,
        case
            when typed.rule_of_the_row is not null then typed.rule_of_the_row
            when earlier.coupon_hash is not null
                then 'COUPON_ID_hash of a row of coupon_list_train'
        end as broken_rule
    from typed
    left join earlier on typed.coupon_hash = earlier.coupon_hash
),

{{ refuse_repeated(
    'compared',
    coupon_columns() + ['contradiction'],
    key='coupon_hash',
    key_name='COUPON_ID_hash',
) }}
{%- endmacro %}

{# The accepted rows of a checked coupon list. #}
{% macro stage_coupon_list(checked, quarantined) -%}
select
    {% for column in coupon_columns() -%}
    {{ column }},
    {% endfor -%}
    contradiction
from {{ checked }}
where
    file_line not in (
        select refused.file_line
        from {{ quarantined }} as refused
    )
{%- endmacro %}

{# What in the row of a coupon contradicts itself, in words; null for most coupons. #}
{% macro coupon_contradiction() -%}
    case
        when discount_price_yen > catalog_price_yen
            then 'DISCOUNT_PRICE above CATALOG_PRICE'
        when
            discount_rate_percent not between 0 and 100
            or (
                catalog_price_yen > 0
                and (
                    100 * cast(catalog_price_yen - discount_price_yen as bigint)
                    < discount_rate_percent * cast(catalog_price_yen as bigint)
                    or 100 * cast(catalog_price_yen - discount_price_yen as bigint)
                    >= (discount_rate_percent + 1) * cast(catalog_price_yen as bigint)
                )
            )
            then 'PRICE_RATE is not the saving'
        when
            display_days != {{ dbt.datediff('sale_start_at', 'sale_end_at', 'day') }}
            then 'DISPPERIOD is not DISPEND minus DISPFROM'
        when valid_until_date < valid_from_date then 'VALIDEND before VALIDFROM'
        when
            valid_days
            != {{ dbt.datediff('valid_from_date', 'valid_until_date', 'day') }}
            or (valid_days is null) != (valid_from_date is null)
            or (valid_days is null) != (valid_until_date is null)
            then 'VALIDPERIOD is not VALIDEND minus VALIDFROM'
        when
            {% for day in usability_days() -%}
            ({{ day.name }}_code is null) != (monday_code is null)
            {%- if not loop.last %} or {% endif %}
            {% endfor -%}
            then 'USABLE_DATE is there for some days only'
    end
{%- endmacro %}

{# Columns of a staged coupon, in the order of the models. #}
{% macro coupon_columns() -%}
    {%- set codes = [] -%}
    {%- for day in usability_days() -%}
        {%- do codes.append(day.name ~ '_code') -%}
    {%- endfor -%}
    {{ return([
        'coupon_hash', 'capsule_ja', 'genre_ja', 'large_area_ja', 'prefecture_ja',
        'small_area_ja', 'discount_rate_percent', 'catalog_price_yen',
        'discount_price_yen', 'display_days', 'valid_days',
    ] + codes + ['valid_from_date', 'valid_until_date', 'sale_start_at', 'sale_end_at']) }}
{%- endmacro %}

{# Columns of a coupon list, in the order of the file. #}
{% macro coupon_list_columns() -%}
    {%- set codes = [] -%}
    {%- for day in usability_days() -%}
        {%- do codes.append('USABLE_DATE_' ~ day.header) -%}
    {%- endfor -%}
    {{ return([
        'CAPSULE_TEXT', 'GENRE_NAME', 'PRICE_RATE', 'CATALOG_PRICE', 'DISCOUNT_PRICE',
        'DISPFROM', 'DISPEND', 'DISPPERIOD', 'VALIDFROM', 'VALIDEND', 'VALIDPERIOD',
    ] + codes + [
        'large_area_name', 'ken_name', 'small_area_name', 'COUPON_ID_hash',
    ]) }}
{%- endmacro %}

{# The nine day rules of a coupon: ending of the file's column, name in the models. #}
{% macro usability_days() -%}
    {{ return([
        {'header': 'MON', 'name': 'monday'},
        {'header': 'TUE', 'name': 'tuesday'},
        {'header': 'WED', 'name': 'wednesday'},
        {'header': 'THU', 'name': 'thursday'},
        {'header': 'FRI', 'name': 'friday'},
        {'header': 'SAT', 'name': 'saturday'},
        {'header': 'SUN', 'name': 'sunday'},
        {'header': 'HOLIDAY', 'name': 'holiday'},
        {'header': 'BEFORE_HOLIDAY', 'name': 'day_before_holiday'},
    ]) }}
{%- endmacro %}

{# Both files of areas have the same columns; they are checked by the same SQL. #}
{% macro check_coupon_areas(relation) -%}
with typed as (
    select
        {{ clean_text('COUPON_ID_hash') }} as coupon_hash,
        {{ clean_text('SMALL_AREA_NAME') }} as small_area_ja,
        {{ clean_text('PREF_NAME') }} as prefecture_ja,
        file_line,
        {{ csv_line(['SMALL_AREA_NAME', 'PREF_NAME', 'COUPON_ID_hash']) }} as raw_text,
        {{ first_broken([
            rule_present('COUPON_ID_hash'),
            rule_id('COUPON_ID_hash'),
            rule_present('SMALL_AREA_NAME'),
            rule_present('PREF_NAME'),
        ]) }} as broken_rule
    from {{ relation }}
),

{{ refuse_repeated(
    'typed',
    ['coupon_hash', 'small_area_ja', 'prefecture_ja'],
    key='coupon_hash, small_area_ja, prefecture_ja',
    key_name='COUPON_ID_hash and area',
) }}
{%- endmacro %}
