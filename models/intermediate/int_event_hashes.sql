-- grain: one row per kind of event, coupon and week
with purchases as (
    select * from {{ ref('fct_purchases') }}
),

-- without what is said of their coupon, which may come out weeks after a look at it
visits as (
    select
        user_id,
        coupon_id,
        session_id,
        purchase_hash,
        page_serial,
        is_purchase,
        is_listed_user,
        visited_at
    from {{ ref('fct_visits') }}
),

event_hashes as (
    {% for kind, time in [
        ('purchase', 'purchased_at'), ('visit', 'visited_at')
    ] -%}
    select
        '{{ kind }}' as event_kind,
        coupon_id,
        {{ sunday_of(time) }} as week_start_date,
        {{ sum_of_row_hashes(kind ~ 's') }} as hash_sum
    from {{ kind }}s
    group by coupon_id, {{ sunday_of(time) }}
    {% if not loop.last -%}
    union all
    {% endif -%}
    {% endfor -%}
)

select * from event_hashes
