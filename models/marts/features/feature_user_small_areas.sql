-- grain: one row per cutoff, user and small_area of an earlier purchase
{{ user_attribute_history('small_area') }}
