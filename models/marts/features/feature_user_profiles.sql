-- grain: one row per cutoff and user with an earlier purchase
{%- set attributes = {
    'genre': 'feature_user_genres',
    'large_area': 'feature_user_large_areas',
    'prefecture': 'feature_user_prefectures',
    'small_area': 'feature_user_small_areas',
} %}

with squares as (
    {% for attribute, model in attributes.items() -%}
    select
        cutoff_date,
        user_id,
        -- in whole numbers, so that the sum does not depend on the order of rows
        cast(round(
            1000000000 * {{ var('cosine_weights')[attribute] }}
            * power(profile_share, 2)
        ) as bigint) as square
    from {{ ref(model) }}
    {%- if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
),

profiles as (
    select
        cutoff_date,
        user_id,
        sqrt(sum(square) / cast(1000000000 as double)) as profile_norm
    from squares
    group by cutoff_date, user_id
)

select * from profiles
