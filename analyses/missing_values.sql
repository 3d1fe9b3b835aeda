-- question: which values do the files lack, and what does the absence mean?
--
-- On the competition's files every absence has a meaning, and none is a value lost:
-- withdrawal dates (96 % of the users stayed), prefectures (an empty field, not NA:
-- 32 % of the users registered none), validity (32 % of the coupons have no period) and
-- day rules (36 % have none, and they hold nearly all of the former). In the visit log
-- a view that led to no purchase names none. All other columns of users, coupons, areas
-- and purchases are complete. So nothing is filled in with averages: absence becomes a
-- value of its own or a flag, and a feature that may be null says why (`null_means`). A
-- column that turns up here without a meaning is news.
--
-- n_missing counts NA, n_empty empty fields. A file that is absent has no rows.
{%- set meanings = {
    'user_list.WITHDRAW_DATE': 'the user stayed',
    'user_list.PREF_NAME': 'empty: the user registered no prefecture',
    'VALIDFROM': 'no validity period, as for delivered goods',
    'VALIDEND': 'no validity period, as for delivered goods',
    'VALIDPERIOD': 'no validity period, as for delivered goods',
    'coupon_visit_train.PURCHASEID_hash': 'the view led to no purchase',
} %}
{%- for day in usability_days() -%}
{%- do meanings.update({
    'USABLE_DATE_' ~ day.header: 'no rule about days: see usable_date_values'
}) -%}
{%- endfor %}
{%- set files = [
    'user_list', 'coupon_list_train', 'coupon_list_test', 'coupon_area_train',
    'coupon_area_test', 'coupon_detail_train', 'coupon_visit_train',
    'prefecture_locations',
] %}

with counted as (
    {% for file in files -%}
    {%- set position = loop -%}
    {%- set columns = ['1'] -%}
    {%- if execute -%}
    {%- set source_node = graph.sources.values()
        | selectattr('name', 'equalto', file) | first -%}
    {%- set columns = source_node.columns | reject('equalto', 'file_line') | list -%}
    {%- endif -%}
    {%- for column in columns -%}
    {%- set meaning = meanings.get(file ~ '.' ~ column, meanings.get(column, '')) -%}
    select
        {{ position.index }} as file_position,
        {{ loop.index }} as column_position,
        '{{ file }}' as file_name,
        '{{ column }}' as column_name,
        count(*) as n_rows,
        count(case when {{ column }} is null then 1 end) as n_missing,
        count(case when cast({{ column }} as {{ dbt.type_string() }}) = '' then 1 end)
            as n_empty,
        '{{ meaning }}' as meaning
    from {{ source('ponpare', file) }}
    {%- if not (loop.last and position.last) %}
    union all
    {% endif -%}
    {%- endfor -%}
    {%- endfor %}
),

missing_values as (
    select
        file_name,
        column_name,
        n_rows,
        n_missing,
        n_empty,
        round(100.0 * (n_missing + n_empty) / nullif(n_rows, 0), 1)
            as absent_percent,
        case
            when n_missing + n_empty = 0 then null
            when meaning = '' then 'not known: find out before using the column'
            else meaning
        end as meaning,
        file_position,
        column_position
    from counted
)

select
    file_name,
    column_name,
    n_rows,
    n_missing,
    n_empty,
    absent_percent,
    meaning
from missing_values
order by file_position, column_position
