-- grain: one row per user hash that occurs in any file
{{ integer_keys('user_hash', 'user_id', [
    (ref('stg_users'), 'registered_at'),
    (ref('stg_purchases'), 'purchased_at'),
    (ref('int_visit_hashes'), 'first_visited_at'),
]) }}
