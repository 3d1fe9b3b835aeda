-- grain: one row per cutoff and user registered before it
{%- set prior_weeks = var('rhythm_prior_weeks') %}

with activity as (
    select
        *,
        least(registration_week_date, coalesce(first_week_date, registration_week_date))
            as own_start_date,
        -- what a user did before the logs begin is not known
        min(first_week_date) over (partition by cutoff_date) as log_start_date
    from {{ ref('int_user_activity') }}
),

observed as (
    select
        *,
        cast(
            {{ dbt.datediff(
                'greatest(own_start_date, coalesce(log_start_date, own_start_date))',
                'cutoff_date',
                'day'
            ) }} / 7 as integer
        ) as n_observed_weeks
    from activity
),

user_activity as (
    select
        cutoff_date,
        user_id,
        n_purchases_7d as n_user_purchases_7d,
        n_purchases_91d as n_user_purchases_91d,
        n_items
        / cast(nullif(n_purchases, 0) as {{ sql_type('double') }})
            as items_per_purchase,
        n_cheap_purchases
        / cast(nullif(n_priced_purchases, 0) as {{ sql_type('double') }})
            as cheap_purchase_share,
        n_purchases = 0 as is_new_member,
        case when n_purchases = 0 then tenure_days end as new_member_days,
        n_observed_weeks,
        n_active_weeks,
        n_active_weeks_4w,
        n_active_weeks_13w,
        active_weeks_decayed,
        n_active_weeks
        / cast(n_observed_weeks as {{ sql_type('double') }}) as active_week_share,
        (
            n_buying_weeks
            + {{ prior_weeks }} * sum(n_buying_weeks) over (partition by cutoff_date)
            / cast(
                sum(n_observed_weeks)
                    over (partition by cutoff_date)
                as {{ sql_type('double') }}
            )
        ) / (n_observed_weeks + {{ prior_weeks }}) as buying_week_share,
        n_views_7d as n_user_views_7d,
        n_views_28d as n_user_views_28d,
        n_views_91d as n_user_views_91d,
        n_sessions_28d as n_user_sessions_28d,
        days_since_last_view
    from observed
)

select * from user_activity
