-- grain: one row per row of coupon_area_test that is refused
{{ quarantine('coupon_area_test', ref('checked_coupon_areas_test')) }}
