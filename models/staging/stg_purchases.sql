-- grain: one row per purchase of coupon_detail_train
select
    {{ clean_text('PURCHASEID_hash') }} as purchase_hash,
    {{ clean_text('USER_ID_hash') }} as user_hash,
    {{ clean_text('COUPON_ID_hash') }} as coupon_hash,

    {{ clean_text('SMALL_AREA_NAME') }} as small_area_ja,

    cast({{ clean_text('ITEM_COUNT') }} as integer) as item_count,

    cast({{ clean_text('I_DATE') }} as timestamp) as purchased_at
from {{ source('ponpare', 'coupon_detail_train') }}
