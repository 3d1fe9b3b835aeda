-- grain: one row per row of coupon_visit_train that is refused
{{ quarantine('coupon_visit_train', ref('checked_visits')) }}
