-- grain: one row per cutoff, user and prefecture of an earlier purchase or page view
{{ user_attribute_history('prefecture') }}
