-- The weights of a cutoff add up to users times coupons, within five standard errors. A
-- pair with inclusion probability p adds 1/p or nothing: variance (1 - p) / p, which a
-- chosen pair with weight w = 1/p estimates as w * (w - 1). Of a few pairs perhaps only
-- certain ones were chosen, which say nothing of the variance: they are not looked at.
with candidate_pairs as (
    select
        cutoffs.cutoff_date,
        count(*) * cast(max(cutoffs.n_coupons) as bigint) as n_pairs
    from {{ ref('int_cutoffs_to_build') }} as cutoffs
    inner join {{ ref('int_candidate_users') }} as users
        on cutoffs.cutoff_date = users.cutoff_date
    where cutoffs.is_labelled
    group by cutoffs.cutoff_date
),

sampled_pairs as (
    select
        cutoff_date,
        sum(weight) as total_weight,
        sum(weight * (weight - 1)) as variance
    from {{ ref('int_sampled_pairs') }}
    group by cutoff_date
)

select
    candidate_pairs.*,
    sampled_pairs.total_weight,
    sqrt(sampled_pairs.variance) as standard_error
from candidate_pairs
left join sampled_pairs
    on candidate_pairs.cutoff_date = sampled_pairs.cutoff_date
where
    candidate_pairs.n_pairs >= 1000
    and (
        sampled_pairs.total_weight is null
        or abs(sampled_pairs.total_weight - candidate_pairs.n_pairs)
        > 5 * sqrt(sampled_pairs.variance) + 1e-6
    )
