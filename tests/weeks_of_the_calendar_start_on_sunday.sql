select
    calendar_date,
    week_start_date,
    day_of_week
from {{ ref('dim_calendar') }}
where
    {{ dbt.datediff('week_start_date', 'calendar_date', 'day') }} != day_of_week
    or {{ day_of_week('week_start_date') }} != 0
