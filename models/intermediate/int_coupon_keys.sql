-- grain: one row per coupon hash that occurs in any file
{{ integer_keys('coupon_hash', 'coupon_id', [
    ref('stg_coupons_train'), ref('stg_coupons_test'),
    ref('stg_coupon_areas_train'), ref('stg_coupon_areas_test'),
    ref('stg_purchases'), ref('stg_visits'),
]) }}
