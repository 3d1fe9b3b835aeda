-- grain: one row per column and value that no seed translates
with coupons as (
    select * from {{ ref('dim_coupons') }}
),

values_found as (
    {% for column in ['genre', 'capsule', 'large_area', 'prefecture', 'small_area'] -%}
    select
        'dim_coupons' as found_in,
        '{{ column }}' as column_name,
        {{ column }}_ja as value_ja,
        count(*) as n_rows
    from coupons
    where {{ column }}_en is null and {{ column }}_ja is not null
    group by {{ column }}_ja
    union all
    {% endfor -%}
    select
        'dim_users' as found_in,
        'prefecture' as column_name,
        prefecture_ja as value_ja,
        count(*) as n_rows
    from {{ ref('dim_users') }}
    where prefecture_en is null and prefecture_ja is not null
    group by prefecture_ja
    union all
    select
        'dim_areas' as found_in,
        'small_area' as column_name,
        small_area_ja as value_ja,
        count(*) as n_rows
    from {{ ref('dim_areas') }}
    where not is_known
    group by small_area_ja
)

select * from values_found
