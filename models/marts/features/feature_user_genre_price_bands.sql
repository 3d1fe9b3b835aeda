-- grain: one row per cutoff, user and genre price band bought or viewed before
{{ user_attribute_history('genre_price_band') }}
