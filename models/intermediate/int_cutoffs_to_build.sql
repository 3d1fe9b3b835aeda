-- grain: one row per cutoff in use that this build computes
{{ config(post_hook="{{ forget_cutoffs_to_build() }}") }}

with users as (
    select greatest(count(*), 1) as n_users from {{ ref('dim_users') }}
),

to_build as (
    select cutoffs.*
    from {{ ref('cutoffs') }} as cutoffs
    inner join {{ ref('int_cutoff_inputs') }} as inputs
        on cutoffs.cutoff_date = inputs.cutoff_date
    left join {{ ref('int_finished_cutoffs') }} as finished
        on
            inputs.cutoff_date = finished.cutoff_date
            and inputs.input_fingerprint = finished.input_fingerprint
    where finished.cutoff_date is null or not {{ is_incremental_build() }}
),

numbered as (
    select
        to_build.*,
        cast(
            ceil(users.n_users / {{ var('training_part_users') }}) as integer
        ) as n_user_groups,
        row_number() over (order by to_build.cutoff_date) as position,
        cast(least(
            count(*) over (),
            ceil(
                count(*) over () * users.n_users / {{ var('training_part_users') }}
            )
        ) as integer) as n_parts
    from to_build
    cross join users
)

select
    cutoff_date,
    cutoff_at,
    target_end_at,
    is_labelled,
    is_selection,
    has_visit_log,
    n_coupons,
    cast(mod(position, n_parts) as integer) as part,
    n_user_groups
from numbered
