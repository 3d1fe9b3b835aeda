{# How many sampled pairs lie in which bin of each feature, per cutoff. A text has one bin
   per value. A quantity has ten, parted by its deciles over the first cutoffs in use, so
   that the bins of a later cutoff know nothing of it. Nulls are a bin of their own.
   All quantities are counted in one pass, as one wide row per cutoff: an aggregation for
   each of them would hold a hash table for each of them in memory. #}
{% macro feature_histograms(pairs, features) -%}
{%- set levels = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9] -%}
{%- set n_levels = levels | length -%}
{%- set quantities = [] -%}
{%- set texts = [] -%}
{%- for name, data_type, group in features -%}
    {%- if data_type == 'varchar' -%}
        {%- do texts.append((name, group)) -%}
    {%- else -%}
        {%- set value = 'cast(pairs.' ~ name ~ ' as integer)'
            if data_type == 'boolean' else 'pairs.' ~ name -%}
        {%- do quantities.append((name, group, value)) -%}
    {%- endif -%}
{%- endfor -%}
with sampled_pairs as (
    select * from {{ pairs }}
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
        {% for name, _, value in quantities -%}
        {{ quantiles(value, levels) }} as {{ name }}
        {%- if not loop.last %},
        {% endif %}
        {%- endfor %}
    from sampled_pairs as pairs
    inner join weeks on pairs.cutoff_date = weeks.cutoff_date
    where weeks.week_number <= {{ var('drift_bin_weeks') }}
),

measured as (
    select
        pairs.cutoff_date,
        count(*) as n_rows
        {%- for name, _, value in quantities %}
        {%- set i = loop.index %},
        count({{ value }}) as n_{{ i }}
            {%- for level in levels %},
        count(
            case
                when {{ value }} <= {{ array_element('edges.' ~ name, loop.index) }}
                    then 1
            end
        ) as n_{{ i }}_{{ loop.index }}
            {%- endfor %}
        {%- endfor %}
    from sampled_pairs as pairs
    cross join edges
    group by pairs.cutoff_date
),

bins as (
    {%- for bin in range(1, n_levels + 3) %}
    select {{ bin }} as bin
    {%- if not loop.last %} union all{% endif %}
    {%- endfor %}
),

counted as (
    {%- set rows = [] %}
    {%- for name, group, _ in quantities %}
    {%- set i = loop.index %}
    {%- set n_pairs %}case bins.bin
            when 1 then measured.n_{{ i }}_1
            {%- for bin in range(2, n_levels + 1) %}
            when {{ bin }} then measured.n_{{ i }}_{{ bin }} - measured.n_{{ i }}_{{ bin - 1 }}
            {%- endfor %}
            when {{ n_levels + 1 }} then measured.n_{{ i }} - measured.n_{{ i }}_{{ n_levels }}
            else measured.n_rows - measured.n_{{ i }}
        end
    {%- endset %}
    {#- the last bin is that of nulls #}
    {%- do rows.append({
        'feature': dbt.string_literal(name),
        'feature_group': dbt.string_literal(group),
        'bin': 'nullif(bins.bin, ' ~ (n_levels + 2) ~ ')',
        'value': 'cast(null as ' ~ dbt.type_string() ~ ')',
        'n_pairs': n_pairs,
    }) %}
    {%- endfor %}
    {{ stacked_rows('measured cross join bins', ['measured.cutoff_date'], rows) }}
    union all
    select
        pairs.cutoff_date,
        features.feature,
        features.feature_group,
        cast(null as integer) as bin,
        case features.feature
            {%- for name, _ in texts %}
            when {{ dbt.string_literal(name) }} then pairs.{{ name }}
            {%- endfor %}
        end as value,
        count(*) as n_pairs
    from sampled_pairs as pairs
    cross join (
        {%- for name, group in texts %}
        select
            {{ dbt.string_literal(name) }} as feature,
            {{ dbt.string_literal(group) }} as feature_group
        {%- if not loop.last %} union all {% endif %}
        {%- endfor %}
    ) as features
    group by all
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
    where counted.n_pairs > 0
)

select * from feature_histograms
{%- endmacro %}
