-- grain: one row per labelled cutoff and candidate user who bought in its target week
{%- set genres = genre_names() %}

-- what happened from the cutoff on: the label, and who has one
with next_purchases as (
    select
        cutoffs.cutoff_date,
        purchases.user_id,
        coupons.genre
    from {{ ref('int_cutoffs_to_build') }} as cutoffs
    inner join {{ ref('fct_purchases') }} as purchases
        on
            purchases.purchased_at >= cutoffs.cutoff_at
            and purchases.purchased_at < cutoffs.target_end_at
    inner join {{ ref('dim_coupons') }} as coupons
        on purchases.coupon_id = coupons.coupon_id
    where cutoffs.is_labelled
    qualify
        row_number() over (
            partition by cutoffs.cutoff_date, purchases.user_id
            order by purchases.purchased_at, purchases.purchase_hash
        ) = 1
),

-- what happened before it
genre_histories as (
    select
        histories.cutoff_date,
        {% for genre in genres -%}
        {% for name, value in [
            ('n_' ~ genre ~ '_purchases', 'n_purchases'),
            (genre ~ '_purchases_per_offer', 'purchases_per_offer_decayed'),
        ] -%}
        max(case when histories.genre = '{{ genre }}' then histories.{{ value }} end)
            as {{ name }},
        {% endfor -%}
        {% endfor -%}
        histories.user_id
    from {{ ref('feature_user_genres') }} as histories
    inner join {{ ref('int_cutoffs_to_build') }} as cutoffs
        on histories.cutoff_date = cutoffs.cutoff_date
    group by histories.cutoff_date, histories.user_id
),

examples as (
    select
        next_purchases.cutoff_date,
        next_purchases.user_id,
        next_purchases.genre,
        users.user_sex,
        users.user_age,
        users.is_prefecture_known,
        users.user_tenure_days,
        users.n_user_purchases,
        users.n_user_purchases_28d,
        users.user_mean_price_yen,
        users.days_since_last_purchase,
        activity.n_user_purchases_7d,
        activity.n_user_purchases_91d,
        activity.items_per_purchase,
        activity.cheap_purchase_share,
        activity.buying_week_share,
        {% for genre in genres -%}
        coalesce(genre_histories.n_{{ genre }}_purchases, 0)
            as n_{{ genre }}_purchases,
        coalesce(genre_histories.{{ genre }}_purchases_per_offer, 0)
            as {{ genre }}_purchases_per_offer,
        {% endfor -%}
        activity.n_user_views_28d
    from next_purchases
    inner join {{ ref('feature_users') }} as users
        on
            next_purchases.cutoff_date = users.cutoff_date
            and next_purchases.user_id = users.user_id
    inner join {{ ref('feature_user_activity') }} as activity
        on
            next_purchases.cutoff_date = activity.cutoff_date
            and next_purchases.user_id = activity.user_id
    left join genre_histories
        on
            next_purchases.cutoff_date = genre_histories.cutoff_date
            and next_purchases.user_id = genre_histories.user_id
)

select * from examples
