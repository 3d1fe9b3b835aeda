-- grain: one row per small area
select
    areas.small_area,
    areas.small_area_ja,
    small_areas.small_area_en,
    small_areas.small_area_ko,
    areas.prefecture,
    prefectures.prefecture_ja,
    prefectures.prefecture_en,
    prefectures.prefecture_ko,
    prefectures.large_area,
    large_areas.large_area_ja,
    large_areas.large_area_en,
    large_areas.large_area_ko,
    coalesce(located.latitude, prefectures.latitude) as latitude,
    coalesce(located.longitude, prefectures.longitude) as longitude,
    areas.is_known
from {{ ref('int_areas') }} as areas
left join {{ ref('small_areas') }} as small_areas
    on areas.small_area_ja = small_areas.small_area_ja
left join {{ ref('prefectures') }} as prefectures
    on areas.prefecture = prefectures.prefecture
left join {{ ref('large_areas') }} as large_areas
    on prefectures.large_area = large_areas.large_area
left join {{ ref('stg_prefecture_locations') }} as located
    on prefectures.prefecture_ja = located.prefecture_ja
