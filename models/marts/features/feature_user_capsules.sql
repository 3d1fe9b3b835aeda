-- grain: one row per cutoff, user and capsule of an earlier purchase or page view
{{ user_attribute_history('capsule') }}
