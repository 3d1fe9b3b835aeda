-- grain: one row per cutoff and tenth of certainty
with judged as (
    select
        places.cutoff_date,
        floor(10 * places.inference_certainty) / 10 as certainty_from,
        places.inferred_prefecture = users.prefecture as is_right
    from {{ ref('feature_user_places') }} as places
    inner join {{ ref('dim_users') }} as users
        on places.user_id = users.user_id
    where
        users.prefecture_status = 'registered'
        and places.inferred_prefecture is not null
),

hit_rates as (
    select
        cutoff_date,
        certainty_from,
        count(*) as n_users,
        count(case when is_right then 1 end) as n_right,
        count(case when is_right then 1 end)
        / cast(count(*) as {{ sql_type('double') }}) as hit_rate
    from judged
    group by cutoff_date, certainty_from
)

select * from hit_rates
