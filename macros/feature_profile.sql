{# The distribution of features of sampled pairs, per cutoff. `features` is a list from
   profiled_features. Quantities get one wide row of aggregates per cutoff in a single
   pass over the sampled pairs, which is then turned into one row per feature; texts are
   counted by value. #}
{% macro feature_profile(pairs, features) -%}
{%- set quantities = [] -%}
{%- set texts = [] -%}
{%- for name, data_type, group in features -%}
    {%- do (texts if data_type == 'varchar' else quantities).append(
        (name, data_type, group)
    ) -%}
{%- endfor -%}
{%- set levels = [0.01, 0.25, 0.5, 0.75, 0.99] -%}
with sampled_pairs as (
    select * from {{ pairs }}
),

measured as (
    select
        cutoff_date,
        count(*) as n_rows
        {%- for name, data_type, _ in quantities %}
        {%- set value = 'cast(' ~ name ~ ' as integer)'
            if data_type == 'boolean' else name %}
        {%- set real = 'cast(' ~ value ~ ' as ' ~ sql_type('double') ~ ')' %},
        count({{ name }}) as n_{{ loop.index }},
        {{ stable_mean(real) }} as mean_{{ loop.index }},
        {{ stable_mean(real ~ ' * ' ~ real) }} as mean_square_{{ loop.index }},
        min({{ value }}) as min_{{ loop.index }},
        max({{ value }}) as max_{{ loop.index }},
        {{ quantiles(value, levels) }} as quantiles_{{ loop.index }}
        {%- endfor %}
    from sampled_pairs
    group by cutoff_date
),

counted as (
    select
        pairs.cutoff_date,
        features.feature,
        case features.feature
            {%- for name, _, _ in texts %}
            when {{ dbt.string_literal(name) }} then pairs.{{ name }}
            {%- endfor %}
        end as value,
        count(*) as n_pairs
    from sampled_pairs as pairs
    cross join (
        {%- for name, _, _ in texts %}
        select {{ dbt.string_literal(name) }} as feature
        {%- if not loop.last %} union all {% endif %}
        {%- endfor %}
    ) as features
    group by all
),

-- the value that sorts first, of equally frequent ones
ranked as (
    select
        *,
        row_number() over (
            partition by cutoff_date, feature
            order by value is null, n_pairs desc, value
        ) as place
    from counted
),

feature_profiles as (
    {%- set rows = [] %}
    {%- set null_of = {
        'double': 'cast(null as ' ~ sql_type('double') ~ ')',
        'text': 'cast(null as ' ~ dbt.type_string() ~ ')',
    } %}
    {%- for name, _, group in quantities %}
    {%- set i = loop.index | string %}
    {%- set n_null = 'n_rows - n_' ~ i %}
    {%- set (mean, mean_square) = ('mean_' ~ i, 'mean_square_' ~ i) %}
    {%- set row = {
        'feature': dbt.string_literal(name),
        'feature_group': dbt.string_literal(group),
        'n_rows': 'n_rows',
        'n_null': n_null,
        'null_share': '(' ~ n_null ~ ') / cast(n_rows as ' ~ sql_type('double') ~ ')',
        'mean': mean,
        'standard_deviation': 'case when min_' ~ i ~ ' = max_' ~ i ~ ' or '
            ~ mean_square ~ ' <= ' ~ mean ~ ' * ' ~ mean ~ ' then 0 else sqrt('
            ~ mean_square ~ ' - ' ~ mean ~ ' * ' ~ mean ~ ') end',
        'minimum': 'cast(min_' ~ i ~ ' as ' ~ sql_type('double') ~ ')',
    } %}
    {%- for level in levels %}
    {%- do row.update({
        'p%02d' % (level * 100) | round | int: 'cast('
            ~ array_element('quantiles_' ~ i, loop.index)
            ~ ' as ' ~ sql_type('double') ~ ')'
    }) %}
    {%- endfor %}
    {%- do row.update({
        'maximum': 'cast(max_' ~ i ~ ' as ' ~ sql_type('double') ~ ')',
        'n_distinct': 'cast(null as bigint)',
        'most_frequent_value': null_of.text,
        'most_frequent_share': null_of.double,
    }) %}
    {%- do rows.append(row) %}
    {%- endfor %}
    {{ stacked_rows('measured', ['cutoff_date'], rows) }}
    union all
    select
        cutoff_date,
        feature,
        case feature
            {%- for name, _, group in texts %}
            when {{ dbt.string_literal(name) }} then {{ dbt.string_literal(group) }}
            {%- endfor %}
        end as feature_group,
        cast(sum(n_pairs) as bigint) as n_rows,
        cast(sum(case when value is null then n_pairs else 0 end) as bigint) as n_null,
        sum(case when value is null then n_pairs else 0 end)
        / cast(sum(n_pairs) as {{ sql_type('double') }}) as null_share,
        cast(null as {{ sql_type('double') }}) as mean,
        cast(null as {{ sql_type('double') }}) as standard_deviation,
        cast(null as {{ sql_type('double') }}) as minimum,
        {%- for level in levels %}
        cast(null as {{ sql_type('double') }}) as p{{ '%02d' % (level * 100) | round | int }},
        {%- endfor %}
        cast(null as {{ sql_type('double') }}) as maximum,
        count(value) as n_distinct,
        max(case when place = 1 then value end) as most_frequent_value,
        max(case when place = 1 and value is not null then n_pairs end)
        / cast(sum(case when value is not null then n_pairs end) as {{ sql_type('double') }})
            as most_frequent_share
    from ranked
    group by cutoff_date, feature
)

select * from feature_profiles
{%- endmacro %}

{# Name, type and group of the features of a mart, from its contract: a new feature is
   profiled without a change here. Where there is no graph to read yet (parsing, linting)
   a quantity and a text, so that the SQL is whole. #}
{% macro profiled_features(mart) -%}
{%- set found = [] -%}
{%- if execute -%}
    {%- for node in graph.nodes.values()
        if node.resource_type == 'model' and node.name == mart -%}
        {%- for column in node.columns.values()
            if column.config.meta.get('role') == 'feature' -%}
            {%- do found.append(
                (column.name, column.data_type | lower, column.config.meta.group)
            ) -%}
        {%- endfor -%}
    {%- endfor -%}
{%- endif -%}
{{ return(found or [('quantity', 'double', ''), ('text', 'varchar', '')]) }}
{%- endmacro %}
