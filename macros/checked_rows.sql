{# What a row of a file must hold, said once for all files. A rule is a pair: the
   condition under which a row is refused, and the reason in words. The models
   `checked_*` put rules together, `stg_*` take the rows without a reason, `quarantined_*`
   those with one. #}

{# A timestamp, or null if the text is none. One with a time zone is none either: the
   files' times are Japan time, and an engine would shift it. #}
{% macro read_timestamp(column) -%}
    case
        when {{ column }} like '%+%' or {{ column }} like '%Z' then null
        else {{ cast_or_null(clean_text(column), 'timestamp') }}
    end
{%- endmacro %}

{# A whole number, or null if the text is none: a cast alone would round. #}
{% macro read_integer(column, type='integer') -%}
    {%- set text = clean_text(column) -%}
    case
        when {{ cast_or_null(text, 'double') }} = {{ cast_or_null(text, type) }}
            then {{ cast_or_null(text, type) }}
    end
{%- endmacro %}

{# Rule: the field holds something. #}
{% macro rule_present(column) -%}
    {{ return([clean_text(column) ~ ' is null', column ~ ' is missing']) }}
{%- endmacro %}

{# Rule: what the field holds is one of the competition's ids. One with a blank in it
   would be two in a submission, whose lists are parted by blanks; one with a line end
   would be torn by programs that read line by line. Few have a blank, and only those
   are trimmed to see whether it is within. #}
{% macro rule_id(column) -%}
    {{ return([
        'length(' ~ clean_text(column) ~ ') != 32 or '
        ~ '(' ~ column ~ " like '% %' and " ~ clean_text(column) ~ " like '% %') or "
        ~ column ~ " like '%' || chr(10) || '%' or "
        ~ column ~ " like '%' || chr(13) || '%'",
        column ~ ' is no id of 32 characters',
    ]) }}
{%- endmacro %}

{# Rule: what the field says could be read as its type. #}
{% macro rule_readable(column, value, what) -%}
    {{ return([
        clean_text(column) ~ ' is not null and ' ~ value ~ ' is null',
        column ~ ' is no ' ~ what,
    ]) }}
{%- endmacro %}

{# Rule: a number lies between two bounds, which belong to the range. #}
{% macro rule_between(column, value, low, high) -%}
    {{ return([
        value ~ ' not between ' ~ low ~ ' and ' ~ high,
        column ~ ' is not from ' ~ low ~ ' to ' ~ high,
    ]) }}
{%- endmacro %}

{# Rule: the moment lies in the years that the calendar has. #}
{% macro rule_in_calendar(column) -%}
    {{ return([
        read_timestamp(column) ~ " not between cast('2010-07-01' as " ~ sql_type('timestamp') ~ ')'
        ~ " and cast('2013-12-31 23:59:59' as " ~ sql_type('timestamp') ~ ')',
        column ~ ' is not within July 2010 to December 2013',
    ]) }}
{%- endmacro %}

{# The reason of the first rule that a row breaks; null for most rows. #}
{% macro first_broken(rules) -%}
    case
        {% for condition, reason in rules -%}
        when {{ condition }} then '{{ reason }}'
        {% endfor -%}
    end
{%- endmacro %}

{# The fields of a row as one line of CSV, NA for null. #}
{% macro csv_line(columns) -%}
    concat(
        {% for column in columns -%}
        {{ csv_field(column) }}
        {%- if not loop.last %},
        ',',
        {% endif %}
        {%- endfor %}
    )
{%- endmacro %}

{# One field as CSV: between quotation marks where it holds a comma, a line break or
   such a mark. #}
{% macro csv_field(column) -%}
    case
        when {{ column }} is null then 'NA'
        when
            {{ column }} like '%,%'
            or {{ column }} like '%"%'
            or {{ column }} like '%' || chr(10) || '%'
            then '"' || replace({{ column }}, '"', '""') || '"'
        else {{ column }}
    end
{%- endmacro %}

{# The rows of a CTE with `broken_rule`, `file_line` and `raw_text`, judged: a later row
   with the key of an earlier one is refused too, unless the earlier one is itself
   refused. `columns` are carried along. #}
{% macro refuse_repeated(cte, columns, key, key_name) -%}
numbered as (
    select
        *,
        row_number() over (
            partition by raw_text, broken_rule is null
            order by file_line
        ) as copy_number,
        row_number() over (
            partition by {{ key }}, broken_rule is null
            order by file_line
        ) as key_number
    from {{ cte }}
),

judged as (
    select
        {% for column in columns -%}
        {{ column }},
        {% endfor -%}
        file_line,
        raw_text,
        case
            when broken_rule is not null then broken_rule
            when copy_number > 1 then 'copy of an earlier row'
            when key_number > 1 then '{{ key_name }} of an earlier row'
        end as rejected_because
    from numbered
)

select * from judged
{%- endmacro %}

{# A table of the refused rows of one file: those that break a rule, and those with a
   wrong number of fields, which the loader set aside; of both those that are asked for. #}
{% macro quarantine(file_name, checked, is_asked_for='true') -%}
with broken as (
    select
        file_line,
        rejected_because,
        raw_text
    from {{ checked }}
    -- a row that is not asked for is not judged
    where case when {{ is_asked_for }} then rejected_because end is not null
),

malformed as (
    select
        file_line,
        reason as rejected_because,
        raw_text
    from {{ source('ponpare', 'malformed_rows') }}
    where file_name = '{{ file_name }}' and {{ is_asked_for }}
),

refused as (
    select
        '{{ file_name }}' as file_name,
        *
    from broken
    union all
    select
        '{{ file_name }}' as file_name,
        *
    from malformed
)

select * from refused
{%- endmacro %}

{# Every file of the competition with its models: what it is called, what its rows are
   called in `checked_*`, `quarantined_*` and `stg_*`. #}
{% macro input_files() -%}
    {{ return([
        ('user_list', 'users'),
        ('coupon_list_train', 'coupons_train'),
        ('coupon_list_test', 'coupons_test'),
        ('coupon_area_train', 'coupon_areas_train'),
        ('coupon_area_test', 'coupon_areas_test'),
        ('coupon_detail_train', 'purchases'),
        ('coupon_visit_train', 'visits'),
        ('prefecture_locations', 'prefecture_locations'),
    ]) }}
{%- endmacro %}

{# A query that ends with an error if a file of a relation has more refused rows than
   the variable `max_quarantined_share` allows. One row is always allowed: of the 47
   prefectures one is 2 %. #}
{% macro stop_if_too_broken(relation) -%}
select
    case
        when count(*) > 0 then {{ raise_error(joined_text("
            file_name || '.csv cannot be believed: ' || n_rows_quarantined || ' of '
            || n_rows_read || ' rows are refused, more than "
            ~ (100 * var('max_quarantined_share')) | round(4) ~ " %, most because '
            || most_frequent_reason || ' (first in line ' || first_line
            || '): mend the file or take a sound copy; the rows are in quarantine.'
            || model_name || '; to build all the same, raise the variable '
            || 'max_quarantined_share'",
            "'. '",
            'file_name'
        )) }}
    end as verdict
from {{ relation }}
where
    n_rows_quarantined > 1
    and n_rows_quarantined > {{ var('max_quarantined_share') }} * n_rows_read
{%- endmacro %}
