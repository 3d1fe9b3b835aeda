-- grain: one row per user, shop prefecture and Sunday from which events are known
-- depends_on: {{ ref('int_event_inputs') }}
with placed as (
    select
        *,
        case genre
            {% for genre, weight in var('place_weights').items() -%}
            when '{{ genre }}' then {{ weight }}
            {% endfor -%}
        end as genre_weight
    from {{ ref('int_user_coupon_weeks') }}
),

user_prefecture_weeks as (
    select
        user_id,
        prefecture,
        known_from_date,
        cast(sum(n_purchases) as integer) as n_purchases,
        cast(sum(n_views) as integer) as n_views,
        -- in units of a page view, so that the weights are whole numbers
        cast(sum(
            genre_weight
            * ({{ var('place_views_per_purchase') }} * n_purchases + n_views)
        ) as bigint) as place_weight
    from placed
    where
        genre_weight is not null and prefecture is not null
        and {{ is_week_to_build(dbt.dateadd('day', -7, 'known_from_date')) }}
    group by user_id, prefecture, known_from_date
)

select * from user_prefecture_weeks
