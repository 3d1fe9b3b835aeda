-- at 00:00, and its target week ends a week later
select
    cutoff_date,
    cutoff_at,
    target_end_at
from {{ ref('cutoffs') }}
where
    {{ day_of_week('cutoff_date') }} != 0
    or cutoff_at != cast(cutoff_date as {{ sql_type('timestamp') }})
    or {{ epoch_seconds('target_end_at') }} - {{ epoch_seconds('cutoff_at') }}
    != 7 * 86400
