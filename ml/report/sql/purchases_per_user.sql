-- grain: one row per band of purchases per user
with counted as (
    select
        users.user_id,
        count(purchases.user_id) as n_purchases
    from core.dim_users as users
    left join core.fct_purchases as purchases
        on users.user_id = purchases.user_id
    group by users.user_id
),

edges as (
    select
        unnest([0, 1, 2, 3, 5, 10, 20, 50]) as low_count,
        unnest([0, 1, 2, 4, 9, 19, 49, null]) as high_count
)

select
    edges.low_count,
    edges.high_count,
    count(counted.user_id) as n_users,
    coalesce(sum(counted.n_purchases), 0) as n_purchases
from edges
left join counted
    on
        counted.n_purchases >= edges.low_count
        and counted.n_purchases <= coalesce(edges.high_count, 1000000000)
group by edges.low_count, edges.high_count
order by edges.low_count
