with candidates as (
    select
        cutoff_date,
        count(*) as n_candidates
    from {{ ref('int_candidate_coupons') }}
    group by cutoff_date
)

select
    cutoffs.cutoff_date,
    cutoffs.n_coupons,
    candidates.n_candidates
from {{ ref('int_cutoffs_to_build') }} as cutoffs
left join candidates on cutoffs.cutoff_date = candidates.cutoff_date
where cutoffs.n_coupons != coalesce(candidates.n_candidates, 0)
