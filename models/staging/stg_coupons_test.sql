-- grain: one row per coupon of coupon_list_test
-- depends_on: {{ ref('input_files') }}
{{ stage_coupon_list(ref('checked_coupons_test'), ref('quarantined_coupons_test')) }}
