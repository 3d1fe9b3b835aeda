-- grain: one row per session hash of the visit log
{{ integer_keys('session_hash', 'session_id', [(ref('stg_visits'), 'visited_at')]) }}
