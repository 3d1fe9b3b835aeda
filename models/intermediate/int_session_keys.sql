-- grain: one row per session hash of the visit log
{{ integer_keys('session_hash', 'session_id', [
    (ref('int_visit_hashes'), 'first_visited_at'),
]) }}
