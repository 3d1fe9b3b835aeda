-- grain: one row per cutoff and user registered before it
with cutoffs as (
    select * from {{ ref('int_cutoffs_to_build') }}
),

users as (
    select * from {{ ref('dim_users') }}
),

history as (
    select
        cutoff_date,
        user_id,
        count(*) as n_purchases,
        count(case when age_days < 28 then 1 end) as n_purchases_28d,
        sum(spend_yen) as spend_yen,
        sum(unit_price_yen) as price_yen,
        min(age_days) as days_since_last_purchase
    from {{ ref('int_purchases_before_cutoff') }}
    group by cutoff_date, user_id
),

user_features as (
    select
        cutoffs.cutoff_date,
        users.user_id,
        users.sex as user_sex,
        users.age as user_age,
        users.prefecture as user_prefecture,
        users.segment,
        users.prefecture_status = 'registered' as is_prefecture_known,
        cast(
            {{ dbt.datediff('users.registered_at', 'cutoffs.cutoff_at', 'day') }}
            as integer
        ) as user_tenure_days,
        coalesce(users.withdrawn_at < cutoffs.cutoff_at, false)
            as is_withdrawn,
        cast(coalesce(history.n_purchases, 0) as integer) as n_user_purchases,
        cast(coalesce(history.n_purchases_28d, 0) as integer)
            as n_user_purchases_28d,
        cast(coalesce(history.spend_yen, 0) as bigint) as user_spend_yen,
        history.price_yen / cast(history.n_purchases as {{ sql_type('double') }})
            as user_mean_price_yen,
        history.days_since_last_purchase
    from cutoffs
    inner join users on users.registered_at < cutoffs.cutoff_at
    left join history
        on
            cutoffs.cutoff_date = history.cutoff_date
            and users.user_id = history.user_id
)

select * from user_features
