-- grain: one row per coupon and week in which it was viewed or bought
with purchases as (
    select
        purchases.coupon_id,
        purchases.user_id,
        purchases.purchased_at,
        purchases.purchased_at
        = min(purchases.purchased_at) over (partition by purchases.user_id)
        -- of older members nobody knows what they bought before the data begin
        and users.registered_at >= min(purchases.purchased_at) over ()
            as is_first
    from {{ ref('fct_purchases') }} as purchases
    inner join {{ ref('dim_users') }} as users on purchases.user_id = users.user_id
    where purchases.is_listed_coupon
),

buyers as (
    select
        coupon_id,
        user_id,
        min(purchased_at) as bought_at
    from purchases
    group by coupon_id, user_id
),

viewers as (
    select
        coupon_id,
        user_id,
        min(visited_at) as viewed_at
    from {{ ref('fct_visits') }}
    where is_listed_user and is_listed_coupon
    group by coupon_id, user_id
),

events as (
    select
        coupon_id,
        purchased_at as event_at,
        case when is_first then 'first_purchase' else 'purchase' end as event_kind
    from purchases
    union all
    select
        coupon_id,
        bought_at as event_at,
        'buyer' as event_kind
    from buyers
    union all
    select
        coupon_id,
        viewed_at as event_at,
        'viewer' as event_kind
    from viewers
    union all
    select
        viewers.coupon_id,
        greatest(viewers.viewed_at, buyers.bought_at) as event_at,
        'viewer_and_buyer' as event_kind
    from viewers
    inner join buyers
        on
            viewers.coupon_id = buyers.coupon_id
            and viewers.user_id = buyers.user_id
),

dated as (
    select
        coupon_id,
        event_kind,
        {{ sunday_of('event_at') }} as week_start_date
    from events
),

coupon_weeks as (
    select
        coupon_id,
        week_start_date,
        {% for column, events in [
            ('n_purchases', "'purchase', 'first_purchase'"),
            ('n_first_purchases', "'first_purchase'"),
            ('n_new_buyers', "'buyer'"),
            ('n_new_viewers', "'viewer'"),
            ('n_new_viewers_and_buyers', "'viewer_and_buyer'"),
        ] -%}
        cast(count(case when event_kind in ({{ events }}) then 1 end) as integer)
            as {{ column }}
        {%- if not loop.last %},
        {% endif %}
        {%- endfor %}
    from dated
    group by coupon_id, week_start_date
)

select * from coupon_weeks
