-- grain: one row per user of user_list
select
    {{ clean_text('USER_ID_hash') }} as user_hash,

    case {{ clean_text('SEX_ID') }}
        when 'f' then 'female' when 'm' then 'male'
    end as sex,
    {{ clean_text('PREF_NAME') }} as prefecture_ja,
    case
        when PREF_NAME is null then 'missing'
        when {{ clean_text('PREF_NAME') }} is null then 'not_registered'
        else 'registered'
    end as prefecture_status,

    cast({{ clean_text('AGE') }} as smallint) as age,

    cast({{ clean_text('REG_DATE') }} as timestamp) as registered_at,
    cast({{ clean_text('WITHDRAW_DATE') }} as timestamp) as withdrawn_at
from {{ source('ponpare', 'user_list') }}
