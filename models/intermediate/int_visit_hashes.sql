-- grain: one row per user, coupon or session hash and line after which views were read
select
    user_hash,
    coupon_hash,
    session_hash,
    min(visited_at) as first_visited_at,
    cast({{ last_built_line() }} as bigint) as after_line
from {{ ref('stg_visits') }}
where {{ is_new_line() }}
group by grouping sets ((user_hash), (coupon_hash), (session_hash))
