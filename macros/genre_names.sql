{# The genres of the competition's files, for models with a column per genre. A test holds
   the list against the seed `genres`. #}

{# Genres in alphabetical order. #}
{% macro genre_names() -%}
{{ return([
    'beauty', 'delivery', 'food', 'gift', 'hair', 'health', 'hotel', 'leisure',
    'lesson', 'nail', 'other', 'relaxation', 'spa',
]) }}
{%- endmacro %}
