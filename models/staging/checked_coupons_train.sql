-- grain: one row per row of coupon_list_train that can be read
{{ check_coupon_list(source('ponpare', 'coupon_list_train')) }}
