-- grain: one row per row of coupon_visit_train that can be read
select
    {{ clean_text('USER_ID_hash') }} as user_hash,
    {{ clean_text('VIEW_COUPON_ID_hash') }} as coupon_hash,
    {{ clean_text('SESSION_ID_hash') }} as session_hash,
    {{ clean_text('REFERRER_hash') }} as referrer_hash,
    {{ clean_text('PURCHASEID_hash') }} as purchase_hash,

    {{ read_integer('PAGE_SERIAL') }} as page_serial,

    PURCHASE_FLG = '1' as is_purchase,

    {{ read_timestamp('I_DATE') }} as visited_at,

    file_line,
    {{ csv_line([
        'PURCHASE_FLG', 'I_DATE', 'PAGE_SERIAL', 'REFERRER_hash',
        'VIEW_COUPON_ID_hash', 'USER_ID_hash', 'SESSION_ID_hash', 'PURCHASEID_hash',
    ]) }} as raw_text,
    {{ first_broken([
        rule_present('USER_ID_hash'),
        rule_id('USER_ID_hash'),
        rule_present('VIEW_COUPON_ID_hash'),
        rule_id('VIEW_COUPON_ID_hash'),
        rule_present('SESSION_ID_hash'),
        rule_id('SESSION_ID_hash'),
        rule_id('PURCHASEID_hash'),
        rule_present('PURCHASE_FLG'),
        ("PURCHASE_FLG not in ('0', '1')", 'PURCHASE_FLG is neither 0 nor 1'),
        rule_readable('PAGE_SERIAL', read_integer('PAGE_SERIAL'), 'whole number'),
        rule_present('I_DATE'),
        rule_readable('I_DATE', read_timestamp('I_DATE'), 'date and time'),
        rule_in_calendar('I_DATE'),
    ]) }} as rejected_because
from {{ source('ponpare', 'coupon_visit_train') }}
