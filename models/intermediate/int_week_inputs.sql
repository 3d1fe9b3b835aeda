-- grain: one row per week in which anything happened that features are made of
with first_weeks as (
    select
        user_id,
        min(week_start_date) as first_week_date
    from {{ ref('int_user_weeks') }}
    group by user_id
),

-- what a user did before the registration counts with what they are
registrations as (
    select
        users.user_id,
        users.user_hash,
        users.sex,
        users.age,
        users.segment,
        users.prefecture,
        users.prefecture_status,
        users.registered_at,
        least(
            {{ sunday_of('users.registered_at') }},
            coalesce(
                first_weeks.first_week_date, {{ sunday_of('users.registered_at') }}
            )
        ) as known_from_week_date
    from {{ ref('dim_users') }} as users
    left join first_weeks on users.user_id = first_weeks.user_id
),

withdrawals as (
    select
        user_id,
        withdrawn_at
    from {{ ref('dim_users') }}
    where withdrawn_at is not null
),

coupons as (
    select * from {{ ref('dim_coupons') }}
),

areas as (
    select
        coupons.release_week_date,
        areas.*
    from {{ ref('bridge_coupon_areas') }} as areas
    inner join coupons on areas.coupon_id = coupons.coupon_id
),

hashed as (
    {% for relation, week in [
        ('registrations', 'known_from_week_date'),
        ('withdrawals', sunday_of('withdrawn_at')),
        ('coupons', 'release_week_date'),
        ('areas', 'release_week_date'),
    ] -%}
    select
        {{ week }} as week_start_date,
        {{ sum_of_row_hashes(relation) }} as hash_sum
    from {{ relation }}
    group by {{ week }}
    union all
    {% endfor -%}
    select
        week_start_date,
        hash_sum
    from {{ ref('int_event_hashes') }}
),

week_inputs as (
    select
        week_start_date,
        sum(hash_sum) as hash_sum
    from hashed
    group by week_start_date
)

select * from week_inputs
