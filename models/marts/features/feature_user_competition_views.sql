-- grain: one row per cutoff, user, genre and prefecture of candidates viewed before it
with span as (
    {{ span_of_cutoffs_to_build() }}
),

competitions as (
    select distinct
        coupons.cutoff_date,
        coupons.genre,
        coupons.prefecture
    from {{ ref('feature_coupons') }} as coupons
    inner join {{ ref('int_cutoffs_to_build') }} as cutoffs
        on coupons.cutoff_date = cutoffs.cutoff_date
),

compared as (
    select distinct
        genre,
        prefecture
    from competitions
),

-- views of coupons whose sale has begun; of later ones see feature_user_coupon_views
weeks as (
    select
        events.user_id,
        events.genre,
        events.prefecture,
        events.n_views,
        -- what was known before the first cutoff has one sum
        greatest(events.known_from_date, span.first_cutoff_date) as from_date,
        cast(
            {{ dbt.dateadd('day', 35, 'events.week_start_date') }} as date
        ) as no_longer_28d_date
    from {{ ref('int_user_coupon_weeks') }} as events
    inner join span on events.known_from_date <= span.last_cutoff_date
    inner join compared
        on
            events.genre = compared.genre
            and events.prefecture = compared.prefecture
    where events.n_views > 0
),

-- each week's views enter at the first cutoff that knows them, and leave the window
changes as (
    select
        user_id,
        genre,
        prefecture,
        from_date,
        n_views,
        case when no_longer_28d_date > from_date then n_views else 0 end
            as n_views_28d
    from weeks
    union all
    select
        weeks.user_id,
        weeks.genre,
        weeks.prefecture,
        weeks.no_longer_28d_date as from_date,
        0 as n_views,
        -1 * weeks.n_views as n_views_28d
    from weeks
    inner join span on weeks.no_longer_28d_date <= span.last_cutoff_date
    where weeks.no_longer_28d_date > weeks.from_date
),

changes_per_day as (
    select
        user_id,
        genre,
        prefecture,
        from_date,
        sum(n_views) as n_views,
        sum(n_views_28d) as n_views_28d
    from changes
    group by user_id, genre, prefecture, from_date
),

running as (
    select
        user_id,
        genre,
        prefecture,
        from_date,
        lead(from_date) over (
            partition by user_id, genre, prefecture
            order by from_date
        ) as until_date,
        sum(n_views) over until_then as n_views,
        sum(n_views_28d) over until_then as n_views_28d
    from changes_per_day
    window
        until_then as (
            partition by user_id, genre, prefecture
            order by from_date
        )
),

user_competition_views as (
    select
        competitions.cutoff_date,
        running.user_id,
        running.genre,
        running.prefecture,
        cast(running.n_views as integer) as n_competition_views,
        cast(running.n_views_28d as integer) as n_competition_views_28d
    from running
    inner join competitions
        on
            running.genre = competitions.genre
            and running.prefecture = competitions.prefecture
            and {{ holds_at_cutoff('running', 'competitions') }}
    inner join {{ ref('int_candidate_users') }} as users
        on
            competitions.cutoff_date = users.cutoff_date
            and running.user_id = users.user_id
)

select * from user_competition_views
