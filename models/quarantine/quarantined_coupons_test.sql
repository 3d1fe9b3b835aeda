-- grain: one row per row of coupon_list_test that is refused
{{ quarantine('coupon_list_test', ref('checked_coupons_test')) }}
