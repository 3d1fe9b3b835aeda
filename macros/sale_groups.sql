{# Groups of coupons whose sales say something of a new one, from the widest to the
   narrowest: name, and key of the coupon in the relation. #}
{% macro sale_groups(relation) -%}
    {{ return([
        {'name': 'genre', 'key': relation ~ '.genre'},
        {'name': 'band', 'key': relation ~ '.genre_price_band'},
        {
            'name': 'area_band',
            'key': "concat(coalesce(" ~ relation ~ ".small_area, ''), ', ', "
                ~ relation ~ ".genre_price_band)"
        },
        {
            'name': 'shop',
            'key': 'cast(' ~ relation ~ '.shop_key_id as ' ~ dbt.type_string() ~ ')'
        },
    ]) }}
{%- endmacro %}

{# Events per unit of exposure of the last of some groups, each shrunken towards the one
   before it: `prior` units at the wider group's rate are added to the group's own
   record. Null if the first group has no exposure. #}
{% macro shrunken_rate(events, exposure, prior, groups) -%}
    {%- set first = groups[0] -%}
    {%- set found = namespace(rate=(
        'cast(' ~ first ~ '.' ~ events ~ ' as ' ~ sql_type('double') ~ ') / nullif('
        ~ first ~ '.' ~ exposure ~ ', 0)'
    )) -%}
    {%- for group in groups[1:] -%}
        {%- set found.rate = (
            '(coalesce(' ~ group ~ '.' ~ events ~ ', 0) + ' ~ prior ~ ' * '
            ~ found.rate ~ ') / (coalesce(' ~ group ~ '.' ~ exposure ~ ', 0) + '
            ~ prior ~ ')'
        ) -%}
    {%- endfor -%}
    {{ found.rate }}
{%- endmacro %}
