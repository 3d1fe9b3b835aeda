-- grain: one row per user hash that occurs in any file
{{ integer_keys('user_hash', 'user_id', [
    ref('stg_users'), ref('stg_purchases'), ref('stg_visits'),
]) }}
