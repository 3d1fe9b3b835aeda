-- grain: one row per cutoff, user and small_area of an earlier purchase or page view
{{ user_attribute_history('small_area') }}
