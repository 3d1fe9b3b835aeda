{# Both coupon lists have the same columns; they are staged by the same SQL. #}
{% macro stage_coupon_list(relation) -%}
select
    {{ clean_text('COUPON_ID_hash') }} as coupon_hash,

    {{ clean_text('CAPSULE_TEXT') }} as capsule_ja,
    {{ clean_text('GENRE_NAME') }} as genre_ja,
    {{ clean_text('large_area_name') }} as large_area_ja,
    {{ clean_text('ken_name') }} as prefecture_ja,
    {{ clean_text('small_area_name') }} as small_area_ja,

    cast({{ clean_text('PRICE_RATE') }} as integer) as discount_rate_percent,
    cast({{ clean_text('CATALOG_PRICE') }} as integer) as catalog_price_yen,
    cast({{ clean_text('DISCOUNT_PRICE') }} as integer) as discount_price_yen,
    cast({{ clean_text('DISPPERIOD') }} as integer) as display_days,
    cast({{ clean_text('VALIDPERIOD') }} as integer) as valid_days,
    {% for day in usability_days() -%}
    cast({{ clean_text('USABLE_DATE_' ~ day.header) }} as integer) as {{ day.name }}_code,
    {% endfor %}
    cast({{ clean_text('VALIDFROM') }} as date) as valid_from_date,
    cast({{ clean_text('VALIDEND') }} as date) as valid_until_date,

    cast({{ clean_text('DISPFROM') }} as timestamp) as sale_start_at,
    cast({{ clean_text('DISPEND') }} as timestamp) as sale_end_at
from {{ relation }}
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
