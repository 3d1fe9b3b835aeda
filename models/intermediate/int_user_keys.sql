-- grain: one row per user hash that occurs in any file
{{ integer_keys('user_hash', 'user_id', [
    (ref('stg_users'), 'registered_at'),
    (ref('stg_purchases'), 'purchased_at'),
    (ref('stg_visits'), 'visited_at'),
]) }}
