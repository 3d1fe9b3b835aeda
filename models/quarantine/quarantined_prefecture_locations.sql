-- grain: one row per row of prefecture_locations that is refused
{{ quarantine('prefecture_locations', ref('checked_prefecture_locations')) }}
