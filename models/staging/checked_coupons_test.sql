-- grain: one row per row of coupon_list_test that can be read
{{ check_coupon_list(
    source('ponpare', 'coupon_list_test'),
    listed_before=ref('checked_coupons_train'),
) }}
