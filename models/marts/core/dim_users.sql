-- grain: one row per user of user_list
select
    keys.user_id,
    users.user_hash,
    users.sex,
    users.prefecture_status,
    coalesce(prefectures.prefecture, users.prefecture_ja) as prefecture,
    users.prefecture_ja,
    prefectures.prefecture_en,
    prefectures.prefecture_ko,
    users.age,
    {{ age_band('users.age') }} as age_band,
    concat(
        users.sex, ', ', {{ age_band('users.age') }}, ', ',
        coalesce(prefectures.prefecture, users.prefecture_ja, 'unknown')
    ) as segment,
    users.contradiction,
    users.registered_at,
    users.withdrawn_at
from {{ ref('stg_users') }} as users
inner join {{ ref('int_user_keys') }} as keys
    on users.user_hash = keys.user_hash
left join {{ ref('prefectures') }} as prefectures
    on users.prefecture_ja = prefectures.prefecture_ja
