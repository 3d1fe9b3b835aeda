{# Tables that would outgrow the memory in one query are written in parts, some cutoffs
   at a time: int_cutoffs_to_build numbers them. #}

{# A mart, or its rows of those of the cutoffs to build that belong to one part, or to
   any, and of some users. Each join then holds a part of the mart in memory, and not all
   of it. #}
{% macro of_part(mart, part=none, only_users=none) -%}
{%- if part is none -%}
{{ ref(mart) }}
{%- else -%}
(
    select *
    from {{ ref(mart) }}
    where cutoff_date in (
        select cutoff_date
        from {{ ref('int_cutoffs_to_build') }}
        {%- if part != 'any' %}
        where part = {{ part }}
        {%- endif %}
    )
    {%- if only_users %}
    and user_id in (select user_id from {{ only_users }})
    {%- endif %}
)
{%- endif -%}
{%- endmacro %}

{# Appends to the table all parts but the first. How many there are depends on the users
   and cutoffs of this build. `rows_of` is the macro that selects the rows of a part, or,
   `by_group`, those of a part and of one group of its users. #}
{% macro append_parts(rows_of, by_group=false) -%}
{%- if execute -%}
    {%- set (last_part, n_groups) = run_query(
        'select coalesce(max(part), 0), coalesce(max(n_user_groups), 1) from '
        ~ ref('int_cutoffs_to_build')
    ).rows[0].values() -%}
    {%- for part in range(last_part + 1) -%}
        {%- for group in range(n_groups if by_group else 1) if part or group -%}
            {%- set rows = rows_of(part, group) if by_group else rows_of(part) -%}
            {%- do run_query('insert into ' ~ this ~ ' ' ~ rows) -%}
        {%- endfor -%}
    {%- endfor -%}
{%- endif -%}
{%- endmacro %}
