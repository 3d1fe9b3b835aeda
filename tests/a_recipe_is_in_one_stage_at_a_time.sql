select
    earlier.recipe_id,
    earlier.stage,
    earlier.until,
    later.stage as later_stage,
    later.since as later_since
from {{ ref('model_registry') }} as earlier
inner join {{ ref('model_registry') }} as later
    on
        earlier.recipe_id = later.recipe_id
        and earlier.stage != later.stage
        and earlier.since <= later.since
where earlier.until is null or earlier.until > later.since
