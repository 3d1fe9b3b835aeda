-- grain: one row per listed coupon and attribute that has a value
with coupons as (
    select * from {{ ref('dim_coupons') }}
),

coupon_attributes as (
    {% for attribute in attributes() -%}
    select
        coupon_id,
        '{{ attribute }}' as attribute,
        {{ attribute_value('coupons', attribute) }} as attribute_value,
        release_week_date,
        sale_start_at,
        sale_end_at
    from coupons
    where {{ attribute }} is not null
    {% if not loop.last -%}
    union all
    {% endif -%}
    {% endfor -%}
)

select * from coupon_attributes
