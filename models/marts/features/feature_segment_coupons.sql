-- grain: one row per cutoff, segment of users and coupon of the target week
{%- set rates = ['purchase_rate', 'view_rate'] %}

with rates as (
    select * from {{ ref('int_segment_rates') }}
),

segments as (
    select distinct
        cutoff_date,
        segment
    from rates
),

candidates as (
    select * from {{ ref('feature_coupons') }}
),

segment_coupons as (
    select
        segments.cutoff_date,
        segments.segment,
        candidates.coupon_id,
        {% for attribute in attributes() -%}
        {%- set outer_loop = loop -%}
        {%- for rate in rates -%}
        by_{{ attribute }}.{{ rate }}
            as segment_{{ attribute | replace('_key_id', '') }}_{{ rate }}
        {%- if not (outer_loop.last and loop.last) %},
        {% endif -%}
        {%- endfor -%}
        {%- endfor %}
    from segments
    inner join candidates on segments.cutoff_date = candidates.cutoff_date
    {%- for attribute in attributes() %}
    left join rates as by_{{ attribute }}
        on
            segments.cutoff_date = by_{{ attribute }}.cutoff_date
            and segments.segment = by_{{ attribute }}.segment
            and by_{{ attribute }}.attribute = '{{ attribute }}'
            and {{ attribute_value('candidates', attribute) }}
            = by_{{ attribute }}.attribute_value
    {%- endfor %}
)

select * from segment_coupons
