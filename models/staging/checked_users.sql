-- grain: one row per row of user_list that can be read
with typed as (
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

        {{ read_integer('AGE', 'smallint') }} as age,

        {{ read_timestamp('REG_DATE') }} as registered_at,
        {{ read_timestamp('WITHDRAW_DATE') }} as withdrawn_at,

        file_line,
        {{ csv_line([
            'REG_DATE', 'SEX_ID', 'AGE', 'WITHDRAW_DATE', 'PREF_NAME', 'USER_ID_hash',
        ]) }} as raw_text,
        {{ first_broken([
            rule_present('USER_ID_hash'),
            rule_id('USER_ID_hash'),
            rule_present('SEX_ID'),
            (clean_text('SEX_ID') ~ " not in ('f', 'm')", 'SEX_ID is neither f nor m'),
            rule_present('AGE'),
            rule_readable('AGE', read_integer('AGE', 'smallint'), 'whole number'),
            rule_between('AGE', read_integer('AGE', 'smallint'), 0, 120),
            rule_present('REG_DATE'),
            rule_readable('REG_DATE', read_timestamp('REG_DATE'), 'date and time'),
            rule_in_calendar('REG_DATE'),
            rule_readable(
                'WITHDRAW_DATE', read_timestamp('WITHDRAW_DATE'), 'date and time'
            ),
            rule_in_calendar('WITHDRAW_DATE'),
        ]) }} as broken_rule,
        case
            when
                {{ read_timestamp('WITHDRAW_DATE') }} < {{ read_timestamp('REG_DATE') }}
                then 'WITHDRAW_DATE before REG_DATE'
        end as contradiction
    from {{ source('ponpare', 'user_list') }}
),

{{ refuse_repeated(
    'typed',
    [
        'user_hash', 'sex', 'prefecture_ja', 'prefecture_status', 'age',
        'registered_at', 'withdrawn_at', 'contradiction',
    ],
    key='user_hash',
    key_name='USER_ID_hash',
) }}
