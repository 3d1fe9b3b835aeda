-- grain: one row per row of coupon_detail_train that is refused
{{ quarantine('coupon_detail_train', ref('checked_purchases')) }}
