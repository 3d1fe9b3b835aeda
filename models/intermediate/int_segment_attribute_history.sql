-- grain: one row per cutoff, segment, attribute and candidate's value of earlier events
with span as (
    {{ span_of_cutoffs_to_build() }}
),

wanted as (
    select distinct
        attribute,
        attribute_value
    from {{ ref('int_candidate_values') }}
),

weeks as (
    select
        users.segment,
        weeks.attribute,
        weeks.attribute_value,
        -- what happened before the first cutoff has one sum
        greatest(weeks.known_from_date, span.first_cutoff_date) as from_date,
        sum(weeks.purchase_millionths) as purchase_millionths,
        sum(weeks.view_millionths) as view_millionths
    from {{ ref('int_user_attribute_weeks') }} as weeks
    inner join span on weeks.known_from_date <= span.last_cutoff_date
    inner join wanted
        on
            weeks.attribute = wanted.attribute
            and weeks.attribute_value = wanted.attribute_value
    inner join {{ ref('dim_users') }} as users on weeks.user_id = users.user_id
    group by all
),

running as (
    select
        segment,
        attribute,
        attribute_value,
        from_date,
        lead(from_date) over (
            partition by segment, attribute, attribute_value
            order by from_date
        ) as until_date,
        sum(purchase_millionths) over until_then as purchase_millionths,
        sum(view_millionths) over until_then as view_millionths
    from weeks
    window
        until_then as (
            partition by segment, attribute, attribute_value
            order by from_date
        )
),

segment_attribute_history as (
    select
        candidates.cutoff_date,
        running.segment,
        running.attribute,
        running.attribute_value,
        cast(running.purchase_millionths as bigint) as purchase_millionths,
        cast(running.view_millionths as bigint) as view_millionths
    from running
    inner join {{ ref('int_candidate_values') }} as candidates
        on
            running.attribute = candidates.attribute
            and running.attribute_value = candidates.attribute_value
            and {{ holds_at_cutoff('running', 'candidates') }}
)

select * from segment_attribute_history
