-- grain: one row per cutoff, user and candidate shop key viewed before the cutoff
with shop_keys as (
    select distinct
        cutoff_date,
        shop_key_id
    from {{ ref('feature_coupons') }}
),

-- views of issues whose sale has begun; of later ones see feature_user_coupon_views
views as (
    select
        user_id,
        shop_key_id,
        week_start_date,
        known_from_date,
        sum(n_views) as n_views,
        max(last_visited_at) as last_visited_at
    from {{ ref('int_user_coupon_weeks') }}
    where n_views > 0
    group by user_id, shop_key_id, week_start_date, known_from_date
),

history as (
    select
        shop_keys.cutoff_date,
        views.user_id,
        shop_keys.shop_key_id,
        sum(views.n_views) as n_views,
        sum(
            case
                when
                    views.week_start_date
                    >= {{ dbt.dateadd('day', -28, 'shop_keys.cutoff_date') }}
                    then views.n_views
                else 0
            end
        ) as n_views_28d,
        max(views.last_visited_at) as last_visited_at
    from shop_keys
    inner join views
        on
            shop_keys.shop_key_id = views.shop_key_id
            and shop_keys.cutoff_date >= views.known_from_date
    group by shop_keys.cutoff_date, views.user_id, shop_keys.shop_key_id
),

user_shop_views as (
    select
        history.cutoff_date,
        history.user_id,
        history.shop_key_id,
        cast(history.n_views as integer) as n_shop_views,
        cast(history.n_views_28d as integer) as n_shop_views_28d,
        cast(floor((
            {{ epoch_seconds('cutoffs.cutoff_at') }}
            - {{ epoch_seconds('history.last_visited_at') }}
        ) / 86400.0) as integer) as days_since_shop_view
    from history
    inner join {{ ref('cutoffs') }} as cutoffs
        on history.cutoff_date = cutoffs.cutoff_date
    inner join {{ ref('int_candidate_users') }} as users
        on
            history.cutoff_date = users.cutoff_date
            and history.user_id = users.user_id
)

select * from user_shop_views
