-- grain: one row per cutoff and user registered before it
with places as (
    select
        candidates.cutoff_date,
        candidates.user_id,
        case when users.prefecture_status = 'registered' then users.prefecture end
            as registered_prefecture,
        inferred.inferred_prefecture,
        inferred.inference_certainty
    from {{ ref('int_candidate_users') }} as candidates
    inner join {{ ref('dim_users') }} as users
        on candidates.user_id = users.user_id
    left join {{ ref('int_inferred_prefectures') }} as inferred
        on
            candidates.cutoff_date = inferred.cutoff_date
            and candidates.user_id = inferred.user_id
),

user_places as (
    select
        cutoff_date,
        user_id,
        coalesce(registered_prefecture, inferred_prefecture) as working_prefecture,
        case
            when registered_prefecture is not null then false
            when inferred_prefecture is not null then true
        end as is_prefecture_inferred,
        case
            when registered_prefecture is not null then 1
            else inference_certainty
        end as prefecture_certainty,
        inferred_prefecture,
        inference_certainty
    from places
)

select * from user_places
