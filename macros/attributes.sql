{# Attributes of a coupon by which histories are kept: column of dim_coupons, and the
   mart with the users' history of its values. #}
{% macro attributes() -%}
    {{ return({
        'genre': 'feature_user_genres',
        'capsule': 'feature_user_capsules',
        'large_area': 'feature_user_large_areas',
        'prefecture': 'feature_user_prefectures',
        'small_area': 'feature_user_small_areas',
        'genre_price_band': 'feature_user_genre_price_bands',
        'shop_key_id': 'feature_user_shops',
    }) }}
{%- endmacro %}

{# The value of an attribute as text, for tables that hold all attributes. #}
{% macro attribute_value(relation, attribute) -%}
    {%- if attribute == 'shop_key_id' -%}
    cast({{ relation }}.{{ attribute }} as {{ dbt.type_string() }})
    {%- else -%}
    {{ relation }}.{{ attribute }}
    {%- endif -%}
{%- endmacro %}
