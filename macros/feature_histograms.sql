{# How many sampled pairs lie in which bin of each feature, per cutoff. A text has one bin
   per value. A quantity has ten, parted by its deciles over the first cutoffs in use, so
   that the bins of a later cutoff know nothing of it. Nulls are a bin of their own. #}
{% macro feature_histograms(pairs, features) -%}
{%- set levels = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9] -%}
with sampled_pairs as (
    {{ profiled_pairs(pairs) }}
),

weeks as (
    select
        cutoff_date,
        row_number() over (order by cutoff_date) as week_number
    from {{ ref('cutoffs') }}
),

units as (
    select
        cutoff_date,
        count(distinct user_id) as n_users,
        count(distinct coupon_id) as n_coupons
    from sampled_pairs
    group by cutoff_date
),

edges as (
    select
        {% for name, data_type, _ in features if data_type != 'varchar' -%}
        {%- set value = 'cast(pairs.' ~ name ~ ' as integer)'
            if data_type == 'boolean' else 'pairs.' ~ name -%}
        {{ quantiles(value, levels) }} as {{ name }}
        {%- if not loop.last %},
        {% endif %}
        {%- endfor %}
    from sampled_pairs as pairs
    inner join weeks on pairs.cutoff_date = weeks.cutoff_date
    where weeks.week_number <= {{ var('drift_bin_weeks') }}
),

counted as (
    {%- for name, data_type, group in features %}
    select
        pairs.cutoff_date,
        {{ dbt.string_literal(name) }} as feature,
        {{ dbt.string_literal(group) }} as feature_group,
        {%- if data_type == 'varchar' %}
        cast(null as integer) as bin,
        cast(pairs.{{ name }} as {{ dbt.type_string() }}) as value,
        {%- else %}
        {%- set value = 'cast(pairs.' ~ name ~ ' as integer)'
            if data_type == 'boolean' else 'pairs.' ~ name %}
        case
            {%- for level in levels %}
            when {{ value }} <= {{ array_element('edges.' ~ name, loop.index) }}
                then {{ loop.index }}
            {%- endfor %}
            when {{ value }} is not null then {{ levels | length + 1 }}
        end as bin,
        cast(null as {{ dbt.type_string() }}) as value,
        {%- endif %}
        count(*) as n_pairs
    from sampled_pairs as pairs
    cross join edges
    group by all
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

feature_histograms as (
    select
        counted.cutoff_date,
        counted.feature,
        counted.feature_group,
        counted.bin,
        counted.value,
        counted.n_pairs,
        case
            when counted.feature_group in ('user', 'rhythm') then units.n_users
            else units.n_coupons
        end as n_units
    from counted
    inner join units on counted.cutoff_date = units.cutoff_date
)

select * from feature_histograms
{%- endmacro %}
