-- grain: one row per coupon of coupon_list_train
-- depends_on: {{ ref('input_files') }}
{{ stage_coupon_list(ref('checked_coupons_train'), ref('quarantined_coupons_train')) }}
