-- grain: one row per cutoff, user and candidate shop key bought or viewed before
{{ user_attribute_history('shop_key_id', candidates_only=true) }}
