-- grain: one row per coupon and small area of coupon_area_test
select
    {{ clean_text('COUPON_ID_hash') }} as coupon_hash,

    {{ clean_text('SMALL_AREA_NAME') }} as small_area_ja,
    {{ clean_text('PREF_NAME') }} as prefecture_ja
from {{ source('ponpare', 'coupon_area_test') }}
