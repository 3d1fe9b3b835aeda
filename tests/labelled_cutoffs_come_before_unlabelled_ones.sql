select labelled.cutoff_date
from {{ ref('cutoffs') }} as labelled
inner join {{ ref('cutoffs') }} as unlabelled
    on labelled.cutoff_date > unlabelled.cutoff_date
where labelled.is_labelled and not unlabelled.is_labelled
