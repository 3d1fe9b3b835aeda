-- grain: one row per row of coupon_detail_train that can be read
with typed as (
    select
        {{ clean_text('PURCHASEID_hash') }} as purchase_hash,
        {{ clean_text('USER_ID_hash') }} as user_hash,
        {{ clean_text('COUPON_ID_hash') }} as coupon_hash,

        {{ clean_text('SMALL_AREA_NAME') }} as small_area_ja,

        {{ read_integer('ITEM_COUNT') }} as item_count,

        {{ read_timestamp('I_DATE') }} as purchased_at,

        file_line,
        {{ csv_line([
            'ITEM_COUNT', 'I_DATE', 'SMALL_AREA_NAME', 'PURCHASEID_hash',
            'USER_ID_hash', 'COUPON_ID_hash',
        ]) }} as raw_text,
        {{ first_broken([
            rule_present('PURCHASEID_hash'),
            rule_id('PURCHASEID_hash'),
            rule_present('USER_ID_hash'),
            rule_id('USER_ID_hash'),
            rule_present('COUPON_ID_hash'),
            rule_id('COUPON_ID_hash'),
            rule_present('ITEM_COUNT'),
            rule_readable('ITEM_COUNT', read_integer('ITEM_COUNT'), 'whole number'),
            (read_integer('ITEM_COUNT') ~ ' < 1', 'ITEM_COUNT is below 1'),
            rule_present('I_DATE'),
            rule_readable('I_DATE', read_timestamp('I_DATE'), 'date and time'),
            rule_in_calendar('I_DATE'),
        ]) }} as broken_rule
    from {{ source('ponpare', 'coupon_detail_train') }}
),

{{ refuse_repeated(
    'typed',
    [
        'purchase_hash', 'user_hash', 'coupon_hash', 'small_area_ja', 'item_count',
        'purchased_at',
    ],
    key='purchase_hash',
    key_name='PURCHASEID_hash',
) }}
