-- grain: one row per check and part of the labelled weeks
{%- set checks = label_checks() %}

with cutoffs as (
    select * from {{ ref('cutoffs') }}
    where is_labelled
),

positive_pairs as (
    select
        cutoff_date,
        user_id,
        coupon_id
    from {{ ref('training_pairs') }}
    where label
),

purchases as (
    select
        *,
        min(purchased_at) over (partition by user_id, coupon_id)
            as first_purchased_at
    from {{ ref('fct_purchases') }}
),

purchases_of_weeks as (
    select
        cutoffs.is_selection,
        users.user_id,
        coupons.coupon_id,
        purchases.item_count,
        coupons.release_week_date = cutoffs.cutoff_date as is_release_week,
        coupons.release_week_date > cutoffs.cutoff_date as is_too_early,
        users.registered_at >= cutoffs.cutoff_at as is_new_user,
        purchases.purchased_at < users.registered_at as is_before_registration,
        purchases.purchased_at >= users.withdrawn_at as is_after_withdrawal,
        purchases.purchased_at <= coupons.sale_start_at as is_before_sale,
        purchases.purchased_at > coupons.sale_end_at as is_after_sale,
        row_number() over (
            partition by
                cutoffs.cutoff_date, purchases.user_id, purchases.coupon_id
            order by purchases.purchased_at, purchases.purchase_hash
        ) > 1 as is_again_same_week,
        purchases.first_purchased_at < cutoffs.cutoff_at as is_again_later_week,
        positive_pairs.user_id is not null as is_labelled
    from purchases
    inner join cutoffs
        on
            purchases.purchased_at >= cutoffs.cutoff_at
            and purchases.purchased_at < cutoffs.target_end_at
    left join {{ ref('dim_users') }} as users
        on purchases.user_id = users.user_id
    left join {{ ref('dim_coupons') }} as coupons
        on purchases.coupon_id = coupons.coupon_id
    left join positive_pairs
        on
            cutoffs.cutoff_date = positive_pairs.cutoff_date
            and purchases.user_id = positive_pairs.user_id
            and purchases.coupon_id = positive_pairs.coupon_id
),

buyers as (
    select distinct
        cutoff_date,
        user_id
    from positive_pairs
),

counted as (
    {% for name, condition, treatment in checks -%}
    select
        {{ loop.index }} as position,
        '{{ name }}' as check_name,
        is_selection,
        'purchase' as unit,
        count(*) as n_looked_at,
        count(case when {{ condition }} then 1 end) as n_affected,
        count(case when ({{ condition }}) and is_labelled then 1 end) as n_labelled,
        '{{ treatment }}' as treatment
    from purchases_of_weeks
    group by is_selection
    union all
    {% endfor -%}
    select
        {{ checks | length + 1 }} as position,
        'candidate_had_withdrawn' as check_name,
        cutoffs.is_selection,
        'candidate user' as unit,
        count(*) as n_looked_at,
        count(case when users.is_withdrawn then 1 end) as n_affected,
        count(case when users.is_withdrawn and buyers.user_id is not null then 1 end)
            as n_labelled,
        'stays a candidate, and is_withdrawn is a feature' as treatment
    from {{ ref('feature_users') }} as users
    inner join cutoffs on users.cutoff_date = cutoffs.cutoff_date
    left join buyers
        on
            users.cutoff_date = buyers.cutoff_date
            and users.user_id = buyers.user_id
    group by cutoffs.is_selection
),

checked as (
    select
        position,
        check_name,
        is_selection,
        unit,
        n_looked_at,
        n_affected,
        n_affected / cast(n_looked_at as {{ sql_type('double') }}) as affected_share,
        n_labelled,
        treatment
    from counted
)

select * from checked
