-- grain: one row per cutoff and coupon whose sale starts in its target week
{%- set weights = var('cosine_weights') %}

with candidates as (
    select * from {{ ref('feature_coupons') }}
),

rarity as (
    select * from {{ ref('int_attribute_rarity') }}
),

released as (
    select
        cutoff_date,
        max(n_released) as n_released
    from (
        select
            cutoff_date,
            attribute,
            sum(n_coupons) as n_released
        from rarity
        group by cutoff_date, attribute
    ) as attributes_of_cutoff
    group by cutoff_date
),

rarities as (
    select
        candidates.cutoff_date,
        candidates.coupon_id,
        {% for attribute in weights -%}
        -- a value that no earlier coupon had is the rarest
        case
            when candidates.{{ attribute }} is not null then coalesce(
                    by_{{ attribute }}.rarity,
                    1
                    + ln(
                        cast(
                            1
                            + coalesce(
                                released.n_released, 0
                            ) as {{ sql_type('double') }}
                        )
                    )
                )
        end as {{ attribute }}_rarity
        {%- if not loop.last %},
        {% endif %}
        {%- endfor %}
    from candidates
    left join released on candidates.cutoff_date = released.cutoff_date
    {%- for attribute in weights %}
    left join rarity as by_{{ attribute }}
        on
            candidates.cutoff_date = by_{{ attribute }}.cutoff_date
            and by_{{ attribute }}.attribute = '{{ attribute }}'
            and {{ attribute_value('candidates', attribute) }}
            = by_{{ attribute }}.attribute_value
    {%- endfor %}
),

coupon_profiles as (
    select
        cutoff_date,
        coupon_id,
        {% for attribute in weights -%}
        {{ attribute }}_rarity,
        {% endfor -%}
        sqrt(
            {% for attribute, weight in weights.items() -%}
            {{ weight }} * coalesce(power({{ attribute }}_rarity, 2), 0)
            {%- if not loop.last %} + {% endif %}
            {% endfor %}
        ) as coupon_norm
    from rarities
)

select * from coupon_profiles
