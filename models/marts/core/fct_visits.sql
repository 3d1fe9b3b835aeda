-- grain: one row per page view of the visit log
select
    users.user_id,
    coupons.coupon_id,
    sessions.session_id,
    visits.purchase_hash,
    visits.page_serial,
    visits.is_purchase,
    registered.user_id is not null as is_listed_user,
    listed.coupon_id is not null as is_listed_coupon,
    visits.visited_at < listed.sale_start_at as is_before_sale,
    cast(visits.visited_at as date) as visit_date,
    visits.visited_at
from {{ ref('stg_visits') }} as visits
inner join {{ ref('int_user_keys') }} as users
    on visits.user_hash = users.user_hash
inner join {{ ref('int_coupon_keys') }} as coupons
    on visits.coupon_hash = coupons.coupon_hash
inner join {{ ref('int_session_keys') }} as sessions
    on visits.session_hash = sessions.session_hash
left join {{ ref('dim_users') }} as registered
    on users.user_id = registered.user_id
left join {{ ref('dim_coupons') }} as listed
    on coupons.coupon_id = listed.coupon_id
where {{ is_new_line() }}
