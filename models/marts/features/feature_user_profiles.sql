-- grain: one row per cutoff and user with an earlier purchase
with squares as (
    {% for attribute, weight in var('cosine_weights').items() -%}
    select
        history.cutoff_date,
        history.user_id,
        -- in whole numbers, so that the sum does not depend on the order of rows
        cast(round(
            1e6 * {{ weight }}
            * power(
                cast(history.n_purchases_decayed as {{ sql_type('double') }})
                * rarity.rarity,
                2
            )
        ) as bigint) as square
    from {{ ref(attributes()[attribute]) }} as history
    inner join {{ ref('int_attribute_rarity') }} as rarity
        on
            history.cutoff_date = rarity.cutoff_date
            and rarity.attribute = '{{ attribute }}'
            and {{ attribute_value('history', attribute) }} = rarity.attribute_value
    where history.n_purchases > 0
    {%- if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
),

profiles as (
    select
        cutoff_date,
        user_id,
        sqrt(sum(square) / cast(1e6 as {{ sql_type('double') }})) as profile_norm
    from squares
    group by cutoff_date, user_id
)

select * from profiles
