-- grain: one row per cutoff, user with a working prefecture and distance band
{%- set purchase_prior = var('distance_prior_purchases') %}
{%- set view_prior = var('distance_prior_views') %}

with places as (
    select
        places.cutoff_date,
        places.user_id,
        places.working_prefecture
    from {{ ref('feature_user_places') }} as places
    inner join {{ ref('int_cutoffs_to_build') }} as cutoffs
        on places.cutoff_date = cutoffs.cutoff_date
    where places.working_prefecture is not null
),

distances as (
    select * from {{ ref('int_prefecture_distances') }}
),

history as (
    select
        places.cutoff_date,
        places.user_id,
        distances.distance_bin,
        sum(weeks.n_purchases) as n_purchases,
        sum(weeks.n_views) as n_views
    from places
    inner join {{ ref('int_user_prefecture_weeks') }} as weeks
        on
            places.user_id = weeks.user_id
            and places.cutoff_date >= weeks.known_from_date
    inner join distances
        on
            places.working_prefecture = distances.user_prefecture
            and weeks.prefecture = distances.coupon_prefecture
    group by places.cutoff_date, places.user_id, distances.distance_bin
),

users as (
    select
        places.cutoff_date,
        places.user_id,
        coalesce(sum(history.n_purchases), 0) as n_purchases,
        coalesce(sum(history.n_views), 0) as n_views
    from places
    left join history
        on
            places.cutoff_date = history.cutoff_date
            and places.user_id = history.user_id
    group by places.cutoff_date, places.user_id
),

user_distances as (
    select
        users.cutoff_date,
        users.user_id,
        bands.distance_bin,
        (
            coalesce(history.n_purchases, 0)
            + {{ purchase_prior }} * bands.everybodys_purchase_share
        ) / (users.n_purchases + {{ purchase_prior }}) as distance_purchase_share,
        (
            coalesce(history.n_views, 0)
            + {{ view_prior }} * bands.everybodys_view_share
        ) / (users.n_views + {{ view_prior }}) as distance_view_share
    from users
    inner join {{ ref('feature_distance_shares') }} as bands
        on users.cutoff_date = bands.cutoff_date
    left join history
        on
            users.cutoff_date = history.cutoff_date
            and users.user_id = history.user_id
            and bands.distance_bin = history.distance_bin
)

select * from user_distances
