-- grain: one row per cutoff, user and genre of an earlier purchase
{{ user_attribute_history('genre') }}
