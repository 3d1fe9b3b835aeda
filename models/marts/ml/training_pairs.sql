-- grain: one row per labelled cutoff, user and coupon chosen for training
{%- set other_parts = [] %}
{%- for part in range(1, var('training_parts')) %}
    {%- do other_parts.append("{{ append_training_part(" ~ part ~ ") }}") %}
{%- endfor %}
{{ config(post_hook=other_parts) }}
{{ training_part(0) }}
