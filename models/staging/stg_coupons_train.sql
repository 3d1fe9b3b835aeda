-- grain: one row per coupon of coupon_list_train
{{ stage_coupon_list(source('ponpare', 'coupon_list_train')) }}
