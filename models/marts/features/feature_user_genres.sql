-- grain: one row per cutoff, user and genre of an earlier purchase or page view
{{ user_attribute_history('genre') }}
