-- grain: one row per scored cutoff whose week is over, slice and value of the slice
with lists as (
    select
        recommendations.cutoff_date,
        recommendations.user_hash,
        recommendations.coupon_hash,
        recommendations.rank,
        recommendations.score
    from {{ ref('recommendations') }} as recommendations
    inner join {{ ref('cutoffs') }} as cutoffs
        on recommendations.cutoff_date = cutoffs.cutoff_date
    where cutoffs.is_labelled
),

scored_weeks as (
    select
        cutoff_date,
        cast({{ dbt.dateadd('day', 7, 'cutoff_date') }} as date) as week_end_date
    from lists
    group by cutoff_date
),

spent as (
    select
        weeks.cutoff_date,
        purchases.user_id,
        purchases.coupon_id,
        sum(purchases.spend_yen) as spend_yen
    from {{ ref('fct_purchases') }} as purchases
    inner join scored_weeks as weeks
        on
            purchases.purchase_date >= weeks.cutoff_date
            and purchases.purchase_date < weeks.week_end_date
    group by weeks.cutoff_date, purchases.user_id, purchases.coupon_id
),

bought as (
    select
        pairs.cutoff_date,
        users.user_hash,
        coupons.coupon_hash,
        coalesce(spent.spend_yen, 0) as spend_yen
    from {{ ref('training_pairs') }} as pairs
    inner join scored_weeks as weeks
        on pairs.cutoff_date = weeks.cutoff_date
    inner join {{ ref('dim_users') }} as users
        on pairs.user_id = users.user_id
    inner join {{ ref('dim_coupons') }} as coupons
        on pairs.coupon_id = coupons.coupon_id
    left join spent
        on
            pairs.cutoff_date = spent.cutoff_date
            and pairs.user_id = spent.user_id
            and pairs.coupon_id = spent.coupon_id
    where pairs.label
),

judged as (
    select
        lists.cutoff_date,
        lists.user_hash,
        lists.rank,
        lists.score,
        bought.coupon_hash is not null as is_hit,
        coalesce(bought.spend_yen, 0) as spend_yen,
        count(bought.coupon_hash) over (
            partition by lists.cutoff_date, lists.user_hash
            order by lists.rank
            rows unbounded preceding
        ) as n_hits_so_far
    from lists
    left join bought
        on
            lists.cutoff_date = bought.cutoff_date
            and lists.user_hash = bought.user_hash
            and lists.coupon_hash = bought.coupon_hash
),

listed_users as (
    select
        cutoff_date,
        user_hash,
        count(*) as n_listed,
        sum(cast(score as {{ sql_type('decimal(18, 12)') }})) as expected_hits,
        count(case when is_hit then 1 end) as n_hits,
        sum(spend_yen) as revenue_yen,
        sum(
            cast(
                case
                    when
                        is_hit
                        then n_hits_so_far / cast(rank as {{ sql_type('double') }})
                    else 0
                end
                as {{ sql_type('decimal(18, 12)') }}
            )
        ) as precisions
    from judged
    group by cutoff_date, user_hash
),

buyers as (
    select
        cutoff_date,
        user_hash,
        count(*) as n_bought
    from bought
    group by cutoff_date, user_hash
),

users as (
    select
        weeks.cutoff_date,
        users.sex,
        coalesce(users.age_band, 'unknown') as age_band,
        listed_users.n_listed,
        listed_users.expected_hits,
        listed_users.n_hits,
        listed_users.revenue_yen,
        buyers.n_bought,
        cast(
            coalesce(listed_users.precisions / least(buyers.n_bought, 10), 0)
            as {{ sql_type('decimal(18, 12)') }}
        ) as average_precision
    from scored_weeks as weeks
    cross join {{ ref('dim_users') }} as users
    left join listed_users
        on
            weeks.cutoff_date = listed_users.cutoff_date
            and users.user_hash = listed_users.user_hash
    left join buyers
        on
            weeks.cutoff_date = buyers.cutoff_date
            and users.user_hash = buyers.user_hash
),

sliced as (
    select
        'all' as slice,
        'all' as slice_value,
        *
    from users
    union all
    select
        'sex' as slice,
        coalesce(sex, 'unknown') as slice_value,
        *
    from users
    union all
    select
        'age_band' as slice,
        age_band as slice_value,
        *
    from users
),

list_results as (
    select
        cutoff_date,
        slice,
        slice_value,
        count(*) as n_users,
        count(n_bought) as n_buyers,
        cast(coalesce(sum(n_bought), 0) as bigint) as n_bought,
        cast(coalesce(sum(n_hits), 0) as bigint) as n_hits,
        cast(coalesce(sum(expected_hits), 0) as {{ sql_type('double') }})
            as expected_hits,
        cast(sum(n_hits) as {{ sql_type('double') }})
        / nullif(cast(sum(expected_hits) as {{ sql_type('double') }}), 0)
            as calibration_ratio,
        cast(sum(average_precision) as {{ sql_type('double') }})
        / count(*) as map_at_10,
        cast(sum(n_hits) as {{ sql_type('double') }})
        / nullif(sum(n_bought), 0) as recall_at_10,
        cast(coalesce(sum(revenue_yen), 0) as bigint) as revenue_yen
    from sliced
    group by cutoff_date, slice, slice_value
)

select * from list_results
