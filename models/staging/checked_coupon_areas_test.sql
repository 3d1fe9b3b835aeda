-- grain: one row per row of coupon_area_test that can be read
{{ check_coupon_areas(source('ponpare', 'coupon_area_test')) }}
