-- every pair with label 1 has one labelled purchase that is no repeat, and vice versa
with positive_pairs as (
    select
        cutoffs.is_selection,
        count(*) as n_pairs
    from {{ ref('training_pairs') }} as pairs
    inner join {{ ref('cutoffs') }} as cutoffs
        on pairs.cutoff_date = cutoffs.cutoff_date
    where pairs.label
    group by cutoffs.is_selection
),

audited as (
    select
        is_selection,
        sum(
            case check_name
                when 'any_purchase' then n_labelled
                when 'again_in_the_same_week' then -n_labelled
            end
        ) as n_pairs
    from {{ ref('label_audit') }}
    group by is_selection
)

select
    coalesce(audited.is_selection, positive_pairs.is_selection) as is_selection,
    audited.n_pairs as n_audited,
    positive_pairs.n_pairs
from audited
full outer join positive_pairs
    on audited.is_selection = positive_pairs.is_selection
where coalesce(audited.n_pairs, 0) != coalesce(positive_pairs.n_pairs, 0)
