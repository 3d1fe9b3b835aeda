-- grain: one row per row of coupon_area_train that is refused
{{ quarantine('coupon_area_train', ref('checked_coupon_areas_train')) }}
