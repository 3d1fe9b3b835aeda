-- the history of each cutoff, counted and summed anew from days before it
with history as (
    select
        cutoff_date,
        count(*) as n_purchases,
        sum(spend_yen) as spend_yen
    from {{ ref('int_purchases_before_cutoff') }}
    group by cutoff_date
),

earlier_days as (
    select
        cutoffs.cutoff_date,
        count(purchases.purchase_hash) as n_purchases,
        sum(purchases.spend_yen) as spend_yen
    from {{ ref('int_cutoffs_to_build') }} as cutoffs
    left join {{ ref('fct_purchases') }} as purchases
        on
            cutoffs.cutoff_date > purchases.purchase_date
            and purchases.is_listed_user
            and purchases.is_listed_coupon
    group by cutoffs.cutoff_date
)

select
    earlier_days.*,
    history.n_purchases as n_purchases_of_history,
    history.spend_yen as spend_yen_of_history
from earlier_days
left join history on earlier_days.cutoff_date = history.cutoff_date
where
    earlier_days.n_purchases != coalesce(history.n_purchases, 0)
    or earlier_days.spend_yen is distinct from history.spend_yen
