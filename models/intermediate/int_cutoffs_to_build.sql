-- grain: one row per cutoff in use that this build computes
{{ config(post_hook="{{ forget_cutoffs_to_build() }}") }}

select
    cutoffs.*,
    cast(mod(
        row_number() over (order by cutoffs.cutoff_date), {{ var('training_parts') }}
    ) as integer) as part
from {{ ref('cutoffs') }} as cutoffs
inner join {{ ref('int_cutoff_inputs') }} as inputs
    on cutoffs.cutoff_date = inputs.cutoff_date
left join {{ ref('int_finished_cutoffs') }} as finished
    on
        inputs.cutoff_date = finished.cutoff_date
        and inputs.input_fingerprint = finished.input_fingerprint
where finished.cutoff_date is null or not {{ is_incremental_build() }}
