-- grain: one row per evaluated cutoff, slice and value of the slice
with misses as (
    select * from {{ ref('model_misses') }}
),

bought as (
    select
        pairs.cutoff_date,
        pairs.genre,
        pairs.n_user_purchases,
        pairs.is_prefecture_known,
        pairs.is_same_prefecture,
        pairs.distance_km,
        users.user_hash,
        coupons.coupon_hash
    from {{ ref('training_pairs') }} as pairs
    inner join {{ ref('latest_training_runs') }} as runs
        on pairs.cutoff_date = runs.cutoff_date
    inner join {{ ref('dim_users') }} as users
        on pairs.user_id = users.user_id
    inner join {{ ref('dim_coupons') }} as coupons
        on pairs.coupon_id = coupons.coupon_id
    where pairs.label
),

outcomes as (
    select
        bought.cutoff_date,
        bought.genre,
        bought.n_user_purchases,
        bought.is_prefecture_known,
        bought.is_same_prefecture,
        bought.distance_km,
        true as is_bought,
        misses.user_hash is not null as is_miss
    from bought
    left join misses
        on
            bought.cutoff_date = misses.cutoff_date
            and bought.user_hash = misses.user_hash
            and bought.coupon_hash = misses.coupon_hash
    union all
    select
        cutoff_date,
        genre,
        n_user_purchases,
        is_prefecture_known,
        is_same_prefecture,
        distance_km,
        false as is_bought,
        true as is_miss
    from misses
    where kind = 'ranked_first_not_bought'
),

with_parts as (
    select
        cutoff_date,
        is_bought,
        is_miss,
        genre,
        case
            when n_user_purchases = 0 then '0'
            when n_user_purchases <= 2 then '1 to 2'
            when n_user_purchases <= 9 then '3 to 9'
            else '10 or more'
        end as purchases_before,
        case
            when is_same_prefecture then 'same prefecture'
            when distance_km < 100 then 'below 100 km'
            when distance_km >= 100 then '100 km or more'
            else 'unknown'
        end as distance,
        case
            when is_prefecture_known then 'registered'
            else 'not registered'
        end as prefecture
    from outcomes
),

slices as (
    select 'all' as slice
    union all
    select 'genre' as slice
    union all
    select 'purchases_before' as slice
    union all
    select 'distance' as slice
    union all
    select 'prefecture' as slice
),

sliced as (
    select
        with_parts.cutoff_date,
        with_parts.is_bought,
        with_parts.is_miss,
        slices.slice,
        case slices.slice
            when 'all' then 'all'
            when 'genre' then with_parts.genre
            when 'purchases_before' then with_parts.purchases_before
            when 'distance' then with_parts.distance
            when 'prefecture' then with_parts.prefecture
        end as slice_value
    from with_parts
    cross join slices
),

counted as (
    select
        cutoff_date,
        slice,
        slice_value,
        count(case when is_bought then 1 end) as n_bought,
        count(case when is_bought and is_miss then 1 end) as n_missed,
        count(case when not is_bought then 1 end) as n_first_not_bought
    from sliced
    group by cutoff_date, slice, slice_value
),

summary as (
    select
        cutoff_date,
        slice,
        slice_value,
        n_bought,
        n_missed,
        cast(n_missed as {{ sql_type('double') }})
        / nullif(n_bought, 0) as missed_share,
        n_first_not_bought
    from counted
)

select * from summary
