-- grain: one row per row of coupon_visit_train that is refused
-- depends_on: {{ ref('built_parts') }}
{{ quarantine('coupon_visit_train', ref('checked_visits'), is_new_line()) }}
