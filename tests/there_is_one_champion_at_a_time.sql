select
    earlier.recipe_id,
    earlier.until,
    later.recipe_id as later_recipe_id,
    later.since as later_since
from {{ ref('model_registry') }} as earlier
inner join {{ ref('model_registry') }} as later
    on
        earlier.recipe_id != later.recipe_id
        and earlier.since <= later.since
where
    earlier.stage = 'champion'
    and later.stage = 'champion'
    and (earlier.until is null or earlier.until > later.since)
