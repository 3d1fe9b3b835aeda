-- grain: one row per prefecture of prefecture_locations
select
    {{ clean_text('PREF_NAME') }} as prefecture_ja,
    {{ clean_text('PREFECTUAL_OFFICE') }} as office_ja,

    cast({{ clean_text('LATITUDE') }} as double) as latitude,
    cast({{ clean_text('LONGITUDE') }} as double) as longitude
from {{ source('ponpare', 'prefecture_locations') }}
