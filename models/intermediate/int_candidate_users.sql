-- grain: one row per cutoff in use and user registered before it
select
    cutoffs.cutoff_date,
    users.user_id,
    users.user_hash,
    {{ text_seed('users.user_hash') }} as user_seed
from {{ ref('int_cutoffs_to_build') }} as cutoffs
inner join {{ ref('dim_users') }} as users
    on users.registered_at < cutoffs.cutoff_at
