-- grain: one row per cutoff, segment of users, attribute and value of a candidate
{%- set prior_weeks = var('segment_prior_weeks') %}

with cutoffs as (
    select * from {{ ref('int_cutoffs_to_build') }}
),

active_weeks as (
    select
        users.segment,
        weeks.week_start_date,
        count(*) as n_active_weeks
    from {{ ref('int_user_weeks') }} as weeks
    inner join {{ ref('dim_users') }} as users on weeks.user_id = users.user_id
    group by users.segment, weeks.week_start_date
),

segments_with_users as (
    select distinct
        candidates.cutoff_date,
        users.segment
    from {{ ref('int_candidate_users') }} as candidates
    inner join {{ ref('dim_users') }} as users
        on candidates.user_id = users.user_id
),

segments as (
    select
        segments_with_users.cutoff_date,
        segments_with_users.segment,
        cast(coalesce(sum(active_weeks.n_active_weeks), 0) as bigint)
            as n_active_weeks
    from segments_with_users
    left join active_weeks
        on
            segments_with_users.segment = active_weeks.segment
            and segments_with_users.cutoff_date > active_weeks.week_start_date
    group by segments_with_users.cutoff_date, segments_with_users.segment
),

candidates as (
    select * from {{ ref('int_candidate_values') }}
),

history as (
    select * from {{ ref('int_segment_attribute_history') }}
),

everybody as (
    select
        cutoff_date,
        attribute,
        attribute_value,
        sum(purchase_millionths) as purchase_millionths,
        sum(view_millionths) as view_millionths
    from history
    group by cutoff_date, attribute, attribute_value
),

everybody_weeks as (
    select
        cutoff_date,
        nullif(sum(n_active_weeks), 0) as n_active_weeks
    from segments
    group by cutoff_date
),

overall as (
    select
        candidates.cutoff_date,
        candidates.attribute,
        candidates.attribute_value,
        coalesce(
            everybody.purchase_millionths
            / cast(everybody_weeks.n_active_weeks as {{ sql_type('double') }}), 0
        ) as purchase_millionths,
        coalesce(
            everybody.view_millionths
            / cast(everybody_weeks.n_active_weeks as {{ sql_type('double') }}), 0
        ) as view_millionths
    from candidates
    inner join everybody_weeks
        on candidates.cutoff_date = everybody_weeks.cutoff_date
    left join everybody
        on
            candidates.cutoff_date = everybody.cutoff_date
            and candidates.attribute = everybody.attribute
            and candidates.attribute_value = everybody.attribute_value
),

segment_rates as (
    select
        segments.cutoff_date,
        segments.segment,
        overall.attribute,
        overall.attribute_value,
        cast(
            (
                coalesce(history.purchase_millionths, 0)
                + {{ prior_weeks }} * overall.purchase_millionths
            )
            / (
                1e6 * (segments.n_active_weeks + {{ prior_weeks }})
            ) as {{ sql_type('float') }}
        ) as purchase_rate,
        case
            when cutoffs.has_visit_log
                then cast(
                        (
                            coalesce(history.view_millionths, 0)
                            + {{ prior_weeks }} * overall.view_millionths
                        ) / (1e6 * (segments.n_active_weeks + {{ prior_weeks }}))
                        as {{ sql_type('float') }}
                    )
        end as view_rate
    from segments
    inner join cutoffs on segments.cutoff_date = cutoffs.cutoff_date
    inner join overall on segments.cutoff_date = overall.cutoff_date
    left join history
        on
            segments.cutoff_date = history.cutoff_date
            and segments.segment = history.segment
            and overall.attribute = history.attribute
            and overall.attribute_value = history.attribute_value
)

select * from segment_rates
