with coupons as (
    select
        coupon_id,
        {% for day in usability_days() -%}
        case usable_on_{{ day.name }} when 'no_day_rule' then 1 else 0 end
        {%- if not loop.last %} + {% endif %}
        {% endfor -%}
            as n_days_without_rule
    from {{ ref('dim_coupons') }}
    where contradiction is null
)

select * from coupons
where n_days_without_rule not in (0, {{ usability_days() | length }})
