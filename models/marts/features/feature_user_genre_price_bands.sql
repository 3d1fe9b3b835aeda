-- grain: one row per cutoff, user and genre_price_band of an earlier purchase or page view
{{ user_attribute_history('genre_price_band') }}
