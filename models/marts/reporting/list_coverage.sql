-- grain: one row per scored cutoff
with shown as (
    select
        cutoff_date,
        coupon_hash,
        count(*) as n_lists
    from {{ ref('recommendations') }}
    group by cutoff_date, coupon_hash
),

scores as (
    select
        cutoff_date,
        count(distinct user_hash) as n_users,
        {{ stable_mean('score') }} as mean_score
    from {{ ref('recommendations') }}
    group by cutoff_date
),

placed as (
    select
        shown.cutoff_date,
        shown.n_lists,
        cutoffs.n_coupons,
        -- candidates in no list come first
        cutoffs.n_coupons - count(*) over (partition by shown.cutoff_date)
        + row_number() over (
            partition by shown.cutoff_date
            order by shown.n_lists, shown.coupon_hash
        ) as place
    from shown
    inner join {{ ref('cutoffs') }} as cutoffs
        on shown.cutoff_date = cutoffs.cutoff_date
),

coupons as (
    select
        cutoff_date,
        max(n_coupons) as n_coupons,
        count(*) as n_shown,
        cast(sum((2 * place - n_coupons - 1) * n_lists) as {{ sql_type('double') }})
        / (max(n_coupons) * cast(sum(n_lists) as {{ sql_type('double') }})) as gini
    from placed
    group by cutoff_date
),

list_coverage as (
    select
        coupons.cutoff_date,
        scores.n_users,
        cast(coupons.n_coupons as integer) as n_coupons,
        coupons.n_shown,
        cast(coupons.n_shown as {{ sql_type('double') }})
        / coupons.n_coupons as shown_share,
        coupons.gini,
        scores.mean_score,
        lag(scores.mean_score) over (order by coupons.cutoff_date)
            as earlier_mean_score
    from coupons
    inner join scores
        on coupons.cutoff_date = scores.cutoff_date
)

select * from list_coverage
