-- kinds and totals are rounded apart, each to a millionth
with kinds as (
    select
        cutoff_date,
        user_id,
        sum(decayed_purchase_millionths) as decayed_purchase_millionths
    from {{ looked_at(ref('feature_user_purchases')) }}
    group by cutoff_date, user_id
),

totals as (
    select
        cutoff_date,
        user_id,
        decayed_purchase_millionths
    from {{ looked_at(ref('feature_user_event_totals')) }}
),

candidates as (
    select
        cutoff_date,
        user_id
    from {{ looked_at(ref('feature_users')) }}
),

users as (
    select
        candidates.cutoff_date,
        candidates.user_id,
        coalesce(kinds.decayed_purchase_millionths, 0) as of_kinds,
        coalesce(totals.decayed_purchase_millionths, 0) as of_all
    from candidates
    left join kinds
        on
            candidates.cutoff_date = kinds.cutoff_date
            and candidates.user_id = kinds.user_id
    left join totals
        on
            candidates.cutoff_date = totals.cutoff_date
            and candidates.user_id = totals.user_id
)

select * from users
where abs(of_kinds - of_all) > 1000
