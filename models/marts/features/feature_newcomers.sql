-- grain: one row per cutoff, sex, age and prefecture of the users registered before it
{%- set prior_weeks = var('rhythm_prior_weeks') %}

with users as (
    select distinct
        users.cutoff_date,
        users.user_sex,
        users.user_age,
        users.user_prefecture,
        users.is_prefecture_known,
        users.segment
    from {{ ref('feature_users') }} as users
    inner join {{ ref('int_cutoffs_to_build') }} as cutoffs
        on users.cutoff_date = cutoffs.cutoff_date
),

-- the share of weeks with a purchase that stands in for a history
rhythm as (
    select
        activity.cutoff_date,
        sum(weeks.n_buying_weeks)
        / cast(sum(activity.n_observed_weeks) as {{ sql_type('double') }})
            as buying_week_share
    from {{ ref('feature_user_activity') }} as activity
    inner join {{ ref('int_user_activity') }} as weeks
        on
            activity.cutoff_date = weeks.cutoff_date
            and activity.user_id = weeks.user_id
    group by activity.cutoff_date
),

newcomers as (
    select
        users.cutoff_date,
        -- keys of users are positive
        cast(-1 * row_number() over (
            partition by users.cutoff_date
            order by
                users.user_sex,
                users.user_age,
                users.user_prefecture nulls last,
                users.segment
        ) as integer) as user_id,
        users.user_sex,
        users.user_age,
        users.user_prefecture,
        users.segment,
        users.is_prefecture_known,
        0 as user_tenure_days,
        false as is_withdrawn,
        0 as n_user_purchases,
        0 as n_user_purchases_28d,
        cast(0 as bigint) as user_spend_yen,
        cast(null as {{ sql_type('double') }}) as user_mean_price_yen,
        cast(null as integer) as days_since_last_purchase,
        0 as n_user_purchases_7d,
        0 as n_user_purchases_91d,
        cast(null as {{ sql_type('double') }}) as items_per_purchase,
        cast(null as {{ sql_type('double') }}) as cheap_purchase_share,
        true as is_new_member,
        0 as new_member_days,
        1 as n_observed_weeks,
        0 as n_active_weeks,
        0 as n_active_weeks_4w,
        0 as n_active_weeks_13w,
        cast(0 as {{ sql_type('double') }}) as active_weeks_decayed,
        cast(0 as {{ sql_type('double') }}) as active_week_share,
        {{ prior_weeks }} * rhythm.buying_week_share / (1 + {{ prior_weeks }})
            as buying_week_share,
        {% for count in [
            'n_user_views_7d', 'n_user_views_28d', 'n_user_views_91d',
            'n_user_sessions_28d',
        ] -%}
        case when cutoffs.has_visit_log then 0 end as {{ count }},
        {% endfor -%}
        cast(null as integer) as days_since_last_view,
        case when users.is_prefecture_known then users.user_prefecture end
            as working_prefecture,
        case when users.is_prefecture_known then false end as is_prefecture_inferred,
        case when users.is_prefecture_known then cast(1 as {{ sql_type('double') }}) end
            as prefecture_certainty,
        cast(null as {{ dbt.type_string() }}) as inferred_prefecture,
        cast(null as {{ sql_type('double') }}) as inference_certainty
    from users
    inner join {{ ref('int_cutoffs_to_build') }} as cutoffs
        on users.cutoff_date = cutoffs.cutoff_date
    inner join rhythm on users.cutoff_date = rhythm.cutoff_date
)

select * from newcomers
