-- grain: one row per cutoff, user and prefecture of an earlier purchase
{{ user_attribute_history('prefecture') }}
