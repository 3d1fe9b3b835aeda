-- grain: one row per page view of coupon_visit_train
select
    {{ clean_text('USER_ID_hash') }} as user_hash,
    {{ clean_text('VIEW_COUPON_ID_hash') }} as coupon_hash,
    {{ clean_text('SESSION_ID_hash') }} as session_hash,
    {{ clean_text('REFERRER_hash') }} as referrer_hash,
    {{ clean_text('PURCHASEID_hash') }} as purchase_hash,

    cast({{ clean_text('PAGE_SERIAL') }} as integer) as page_serial,

    PURCHASE_FLG = '1' as is_purchase,

    cast({{ clean_text('I_DATE') }} as timestamp) as visited_at
from {{ source('ponpare', 'coupon_visit_train') }}
