-- grain: one row per cutoff in use
with candidate_weeks as (
    select
        release_week_date as cutoff_date,
        count(*) as n_coupons,
        row_number() over (order by release_week_date desc) as recency
    from {{ ref('dim_coupons') }}
    group by release_week_date
),

last_purchase as (
    select max(purchase_date) as last_purchase_date
    from {{ ref('fct_purchases') }}
),

first_visit as (
    select min(visited_at) as first_visited_at
    from {{ ref('fct_visits') }}
),

cutoffs_in_use as (
    select
        weeks.cutoff_date,
        cast(weeks.cutoff_date as {{ sql_type('timestamp') }}) as cutoff_at,
        cast(
            {{ dbt.dateadd('day', 7, 'weeks.cutoff_date') }}
            as {{ sql_type('timestamp') }}
        ) as target_end_at,
        coalesce(
            last_purchase.last_purchase_date
            >= {{ dbt.dateadd('day', 6, 'weeks.cutoff_date') }},
            false
        ) as is_labelled,
        weeks.cutoff_date < cast('{{ var("selection_end_date") }}' as date)
            as is_selection,
        coalesce(
            first_visit.first_visited_at
            < cast(weeks.cutoff_date as {{ sql_type('timestamp') }}),
            false
        ) as has_visit_log,
        cast(weeks.n_coupons as integer) as n_coupons
    from candidate_weeks as weeks
    cross join last_purchase
    cross join first_visit
    where weeks.recency <= {{ var('n_cutoffs') }}
)

select * from cutoffs_in_use
