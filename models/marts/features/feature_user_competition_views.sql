-- grain: one row per cutoff, user, genre and prefecture of candidates viewed before it
with competitions as (
    select distinct
        coupons.cutoff_date,
        coupons.genre,
        coupons.prefecture
    from {{ ref('feature_coupons') }} as coupons
    inner join {{ ref('int_cutoffs_to_build') }} as cutoffs
        on coupons.cutoff_date = cutoffs.cutoff_date
),

-- views of coupons whose sale has begun; of later ones see feature_user_coupon_views
views as (
    select
        user_id,
        genre,
        prefecture,
        week_start_date,
        known_from_date,
        sum(n_views) as n_views
    from {{ ref('int_user_coupon_weeks') }}
    where n_views > 0
    group by user_id, genre, prefecture, week_start_date, known_from_date
),

history as (
    select
        competitions.cutoff_date,
        views.user_id,
        competitions.genre,
        competitions.prefecture,
        sum(views.n_views) as n_views,
        sum(
            case
                when
                    views.week_start_date
                    >= {{ dbt.dateadd('day', -28, 'competitions.cutoff_date') }}
                    then views.n_views
                else 0
            end
        ) as n_views_28d
    from competitions
    inner join views
        on
            competitions.genre = views.genre
            and competitions.prefecture = views.prefecture
            and competitions.cutoff_date >= views.known_from_date
    group by
        competitions.cutoff_date,
        views.user_id,
        competitions.genre,
        competitions.prefecture
),

user_competition_views as (
    select
        history.cutoff_date,
        history.user_id,
        history.genre,
        history.prefecture,
        cast(history.n_views as integer) as n_competition_views,
        cast(history.n_views_28d as integer) as n_competition_views_28d
    from history
    inner join {{ ref('int_candidate_users') }} as users
        on
            history.cutoff_date = users.cutoff_date
            and history.user_id = users.user_id
)

select * from user_competition_views
