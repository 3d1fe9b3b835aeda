-- grain: one row per cutoff and user registered before it
{%- set counts = [
    ('purchases', '7d', 1), ('purchases', '91d', 13),
    ('views', '7d', 1), ('views', '28d', 4), ('views', '91d', 13),
    ('sessions', '28d', 4),
] %}

with weeks as (
    select
        cutoffs.cutoff_date,
        weeks.*,
        cast(
            {{ dbt.datediff('weeks.week_start_date', 'cutoffs.cutoff_date', 'day') }}
            / 7 as integer
        ) as weeks_ago
    from {{ ref('int_cutoffs_to_build') }} as cutoffs
    inner join {{ ref('int_user_weeks') }} as weeks
        on cutoffs.cutoff_date > weeks.week_start_date
),

history as (
    select
        cutoff_date,
        user_id,
        min(week_start_date) as first_week_date,
        max(last_visited_at) as last_visited_at,
        sum(n_purchases) as n_purchases,
        sum(n_items) as n_items,
        sum(n_priced_purchases) as n_priced_purchases,
        sum(n_cheap_purchases) as n_cheap_purchases,
        count(case when n_purchases > 0 then 1 end) as n_buying_weeks,
        count(*) as n_active_weeks,
        count(case when weeks_ago <= 4 then 1 end) as n_active_weeks_4w,
        count(case when weeks_ago <= 13 then 1 end) as n_active_weeks_13w,
        -- whole millionths, so that the sum does not depend on the order of rows
        sum(cast(round(1000000 * power(
            0.5,
            7
            * weeks_ago
            / cast({{ var('profile_half_life_days') }} as {{ sql_type('double') }})
        )) as bigint)) as decayed_weeks,
        {% for event, span, n_weeks in counts -%}
        sum(case when weeks_ago <= {{ n_weeks }} then n_{{ event }} else 0 end)
            as n_{{ event }}_{{ span }}
        {%- if not loop.last %},
        {% endif %}
        {%- endfor %}
    from weeks
    group by cutoff_date, user_id
),

user_activity as (
    select
        cutoffs.cutoff_date,
        candidates.user_id,
        {{ sunday_of('users.registered_at') }} as registration_week_date,
        cast(
            {{ dbt.datediff('users.registered_at', 'cutoffs.cutoff_at', 'day') }}
            as integer
        ) as tenure_days,
        history.first_week_date,
        {% for column in [
            'purchases', 'items', 'priced_purchases', 'cheap_purchases',
            'buying_weeks', 'active_weeks', 'active_weeks_4w', 'active_weeks_13w',
            'purchases_7d', 'purchases_91d',
        ] -%}
        cast(coalesce(history.n_{{ column }}, 0) as integer) as n_{{ column }},
        {% endfor -%}
        coalesce(history.decayed_weeks, 0) / cast(1000000 as {{ sql_type('double') }})
            as active_weeks_decayed,
        {% for event, span, _ in counts if event != 'purchases' -%}
        case
            when cutoffs.has_visit_log
                then cast(coalesce(history.n_{{ event }}_{{ span }}, 0) as integer)
        end as n_{{ event }}_{{ span }},
        {% endfor -%}
        cast(floor((
            {{ epoch_seconds('cutoffs.cutoff_at') }}
            - {{ epoch_seconds('history.last_visited_at') }}
        ) / 86400.0) as integer) as days_since_last_view
    from {{ ref('int_candidate_users') }} as candidates
    inner join {{ ref('int_cutoffs_to_build') }} as cutoffs
        on candidates.cutoff_date = cutoffs.cutoff_date
    inner join {{ ref('dim_users') }} as users
        on candidates.user_id = users.user_id
    left join history
        on
            candidates.cutoff_date = history.cutoff_date
            and candidates.user_id = history.user_id
)

select * from user_activity
