-- grain: one row per row of coupon_list_train that is refused
{{ quarantine('coupon_list_train', ref('checked_coupons_train')) }}
