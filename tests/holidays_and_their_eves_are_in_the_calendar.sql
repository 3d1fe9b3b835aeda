-- Showa Day 2012 fell on a Sunday, so the Monday after it was a holiday too; neither
-- the Friday before nor the Tuesday after was one
{%- set expected = [
    ('2012-04-27', 'friday', false, false),
    ('2012-04-28', 'saturday', false, true),
    ('2012-04-29', 'sunday', true, true),
    ('2012-04-30', 'monday', true, false),
    ('2012-05-01', 'tuesday', false, false),
] %}

with expected as (
    {% for day, name_of_day, is_holiday, is_eve in expected -%}
    select
        cast('{{ day }}' as date) as calendar_date,
        '{{ name_of_day }}' as name_of_day,
        {{ is_holiday | lower }} as is_holiday,
        {{ is_eve | lower }} as is_eve
    {%- if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
)

select expected.*
from expected
left join {{ ref('dim_calendar') }} as found
    on expected.calendar_date = found.calendar_date
where
    expected.name_of_day is distinct from found.weekday
    or expected.is_holiday is distinct from found.is_holiday
    or expected.is_eve is distinct from found.is_day_before_holiday
