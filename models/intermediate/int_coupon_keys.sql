-- grain: one row per coupon hash that occurs in any file
{{ integer_keys('coupon_hash', 'coupon_id', [
    (ref('stg_coupons_train'), 'sale_start_at'),
    (ref('stg_coupons_test'), 'sale_start_at'),
    (ref('stg_purchases'), 'purchased_at'),
    (ref('int_visit_hashes'), 'first_visited_at'),
    (ref('stg_coupon_areas_train'), none),
    (ref('stg_coupon_areas_test'), none),
]) }}
