-- grain: one row per cutoff, user and large_area of an earlier purchase or page view
{{ user_attribute_history('large_area') }}
