select
    users.cutoff_date,
    users.user_id
from {{ ref('feature_users') }} as users
left join {{ ref('feature_user_profiles') }} as profiles
    on
        users.cutoff_date = profiles.cutoff_date
        and users.user_id = profiles.user_id
where users.n_user_purchases > 0 and profiles.user_id is null
