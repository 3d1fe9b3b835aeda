-- grain: one row per cutoff and user whose earlier coupons say where they live
with weights as (
    select
        cutoffs.cutoff_date,
        weeks.user_id,
        weeks.prefecture,
        sum(weeks.place_weight) as place_weight,
        max(weeks.known_from_date) as last_known_date
    from {{ ref('int_cutoffs_to_build') }} as cutoffs
    inner join {{ ref('int_user_prefecture_weeks') }} as weeks
        on cutoffs.cutoff_date >= weeks.known_from_date
    where weeks.place_weight > 0
    group by cutoffs.cutoff_date, weeks.user_id, weeks.prefecture
),

ranked as (
    select
        *,
        sum(place_weight) over (partition by cutoff_date, user_id) as user_weight,
        row_number() over (
            partition by cutoff_date, user_id
            order by place_weight desc, last_known_date desc, prefecture asc
        ) as place
    from weights
),

inferred as (
    select
        cutoff_date,
        user_id,
        prefecture as inferred_prefecture,
        place_weight / cast(
            user_weight
            + {{ var('place_prior_weight') }} * {{ var('place_views_per_purchase') }}
            as {{ sql_type('double') }}
        ) as inference_certainty
    from ranked
    where place = 1
)

select * from inferred
