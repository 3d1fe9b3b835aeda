-- grain: one row
with purchases as (
    select
        count(*) as n_purchases,
        count(distinct user_id) as n_buyers,
        min(purchase_date) as first_purchase_date,
        max(purchase_date) as last_purchase_date,
        count(*) filter (where not is_listed_coupon) as n_unlisted_coupons,
        count(*) filter (where not is_within_sale) as n_outside_sale
    from core.fct_purchases
),

users as (
    select
        count(*) as n_users,
        count(*) filter (where prefecture is null) as n_users_without_prefecture
    from core.dim_users
),

coupons as (
    select
        count(*) as n_coupons,
        count(*) filter (where is_test_list) as n_test_coupons
    from core.dim_coupons
),

visits as (
    select count(*) as n_visits from core.fct_visits
),

features as (
    select count(*) as n_features
    from ml.column_roles
    where mart_name = 'training_pairs' and role = 'feature'
),

weeks as (
    select count(*) filter (where is_labelled) as n_labelled_weeks
    from features.cutoffs
),

pairs as (
    select count(*) as n_training_pairs from ml.training_pairs
)

select
    purchases.*,
    users.*,
    coupons.*,
    visits.*,
    features.*,
    weeks.*,
    pairs.*
from purchases
cross join users
cross join coupons
cross join visits
cross join features
cross join weeks
cross join pairs
