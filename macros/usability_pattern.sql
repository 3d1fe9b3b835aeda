{# The nine day rules of a coupon as one word, from their codes; the first that fits. #}
{% macro usability_pattern(relation) -%}
{%- set codes = [] -%}
{%- for day in usability_days() -%}
    {%- do codes.append(relation ~ '.' ~ day.name ~ '_code') -%}
{%- endfor -%}
{%- set all_days, weekdays = codes | join(', '), codes[:5] | join(', ') -%}
    case
        when {{ relation }}.monday_code is null then 'no_day_rule'
        when
            0 not in ({{ all_days }}) and 2 not in ({{ all_days }})
            then 'all_days'
        when 0 not in ({{ all_days }}) then 'conditional'
        when
            {{ relation }}.saturday_code = 0 and {{ relation }}.sunday_code = 0
            then 'weekdays_only'
        when
            1 not in ({{ weekdays }}) and 2 not in ({{ weekdays }})
            then 'weekends_only'
        when {{ relation }}.sunday_code = 0 then 'not_on_sundays'
        when
            0 in (
                {{ relation }}.saturday_code,
                {{ relation }}.day_before_holiday_code
            )
            then 'not_before_holidays'
        when 0 in ({{ weekdays }}) then 'not_on_some_weekdays'
        else 'other'
    end
{%- endmacro %}
