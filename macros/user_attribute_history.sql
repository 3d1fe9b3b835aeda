{# A user's purchases and page views before each cutoff by one attribute of the coupon.

   Instead of counting
   all earlier events anew for each cutoff, every week's events enter the sums at the
   first cutoff that knows them and leave the windows again 4 and 13 weeks later; running
   sums between two such changes hold for all cutoffs in between. What left a window before
   the first cutoff of this build never enters it. All sums are of whole numbers
   (millionths), so that they do not depend on the order of rows. #}
{% macro user_attribute_history(attribute, candidates_only=false) -%}
{%- set value_type = sql_type('integer' if attribute == 'shop_key_id' else 'varchar') %}
{%- set half_life = var('profile_half_life_days') -%}
{%- set sums = [
    'n_purchases', 'n_views',
    'purchases', 'purchases_4w', 'purchases_13w', 'purchases_decayed',
    'views', 'views_4w', 'views_13w', 'views_decayed', 'n_purchases_decayed',
] -%}
with span as (
    {{ span_of_cutoffs_to_build() }}
),

first_day as (
    select min(known_from_date) as first_date
    from {{ ref('int_user_attribute_weeks') }}
),

weeks as (
    select
        weeks.user_id,
        cast(weeks.attribute_value as {{ value_type }}) as {{ attribute }},
        weeks.known_from_date,
        span.first_cutoff_date,
        weeks.n_purchases,
        weeks.n_views,
        weeks.purchase_millionths as purchases,
        weeks.view_millionths as views,
        power(
            cast(2 as {{ sql_type('double') }}),
            {{ dbt.datediff(
                'first_day.first_date', 'weeks.known_from_date', 'day'
            ) }}
            / cast({{ half_life }} as {{ sql_type('double') }})
        ) as growth
    from {{ ref('int_user_attribute_weeks') }} as weeks
    inner join span on weeks.known_from_date <= span.last_cutoff_date
    cross join first_day
    where
        weeks.attribute = '{{ attribute }}'
        {%- if candidates_only %}
        and weeks.attribute_value in (
            select candidates.attribute_value
            from {{ ref('int_candidate_values') }} as candidates
            where candidates.attribute = '{{ attribute }}'
        )
        {%- endif %}
),

changes as (
    select
        user_id,
        {{ attribute }},
        -- what changed before the first cutoff has one sum
        greatest(known_from_date, first_cutoff_date) as from_date,
        n_purchases,
        n_views,
        purchases,
        {%- for n_weeks in [4, 13] %}
        case
            when {{ dbt.dateadd('day', 7 * n_weeks, 'known_from_date') }} > first_cutoff_date
                then purchases
            else 0
        end as purchases_{{ n_weeks }}w,
        {%- endfor %}
        cast(round(purchases * growth) as bigint) as purchases_decayed,
        views,
        {%- for n_weeks in [4, 13] %}
        case
            when {{ dbt.dateadd('day', 7 * n_weeks, 'known_from_date') }} > first_cutoff_date
                then views
            else 0
        end as views_{{ n_weeks }}w,
        {%- endfor %}
        cast(round(views * growth) as bigint) as views_decayed,
        cast(round(10000 * n_purchases * growth) as bigint)
            as n_purchases_decayed,
        case when n_purchases > 0 then known_from_date end as purchased_date,
        case when n_views > 0 then known_from_date end as viewed_date
    from weeks
    {% for n_weeks in [4, 13] -%}
    union all
    select
        user_id,
        {{ attribute }},
        cast({{ dbt.dateadd('day', 7 * n_weeks, 'known_from_date') }} as date)
            as from_date,
        0 as n_purchases,
        0 as n_views,
        0 as purchases,
        {{ '-1 * purchases' if n_weeks == 4 else '0' }} as purchases_4w,
        {{ '-1 * purchases' if n_weeks == 13 else '0' }} as purchases_13w,
        0 as purchases_decayed,
        0 as views,
        {{ '-1 * views' if n_weeks == 4 else '0' }} as views_4w,
        {{ '-1 * views' if n_weeks == 13 else '0' }} as views_13w,
        0 as views_decayed,
        0 as n_purchases_decayed,
        cast(null as date) as purchased_date,
        cast(null as date) as viewed_date
    from weeks
    where {{ dbt.dateadd('day', 7 * n_weeks, 'known_from_date') }} > first_cutoff_date
    {% endfor %}
),

changes_per_day as (
    select
        changes.user_id,
        changes.{{ attribute }},
        changes.from_date,
        {% for name in sums -%}
        cast(sum(changes.{{ name }}) as bigint) as {{ name }},
        {% endfor -%}
        max(changes.purchased_date) as purchased_date,
        max(changes.viewed_date) as viewed_date
    from changes
    inner join span on changes.from_date <= span.last_cutoff_date
    group by all
),

running as (
    select
        user_id,
        {{ attribute }},
        from_date,
        lead(from_date) over (
            partition by user_id, {{ attribute }}
            order by from_date
        ) as until_date,
        {% for name in sums -%}
        sum({{ name }}) over until_then as {{ name }},
        {% endfor -%}
        max(purchased_date) over until_then as purchased_date,
        max(viewed_date) over until_then as viewed_date
    from changes_per_day
    window
        until_then as (
            partition by user_id, {{ attribute }}
            order by from_date
        )
),

cutoffs as (
    select
        cutoffs.cutoff_date,
        cutoffs.has_visit_log,
        power(
            cast(2 as {{ sql_type('double') }}),
            -1 * {{ dbt.datediff(
                'first_day.first_date', 'cutoffs.cutoff_date', 'day'
            ) }}
            / cast({{ half_life }} as {{ sql_type('double') }})
        ) as decay
    from {{ ref('int_cutoffs_to_build') }} as cutoffs
    cross join first_day
),

user_attributes as (
    select
        cutoffs.cutoff_date,
        running.user_id,
        running.{{ attribute }},
        cast(running.n_purchases as integer) as n_purchases,
        cast({{ dbt.datediff(
            'running.purchased_date', 'cutoffs.cutoff_date', 'day'
        ) }} / 7 as integer) + 1 as weeks_since_purchase,
        cast(running.purchases / 1e6 as {{ sql_type('float') }}) as purchases_per_offer,
        cast(running.purchases_4w / 1e6 as {{ sql_type('float') }}) as purchases_per_offer_4w,
        cast(running.purchases_13w / 1e6 as {{ sql_type('float') }}) as purchases_per_offer_13w,
        cast(running.purchases_decayed / 1e6 * cutoffs.decay as {{ sql_type('float') }})
            as purchases_per_offer_decayed,
        case when cutoffs.has_visit_log then cast(running.n_views as integer) end
            as n_views,
        cast({{ dbt.datediff(
            'running.viewed_date', 'cutoffs.cutoff_date', 'day'
        ) }} / 7 as integer) + 1 as weeks_since_view,
        {% for window in ['', '_4w', '_13w'] -%}
        case
            when cutoffs.has_visit_log
                then cast(running.views{{ window }} / 1e6 as {{ sql_type('float') }})
        end as views_per_offer{{ window }},
        {% endfor -%}
        case
            when cutoffs.has_visit_log
                then cast(running.views_decayed / 1e6 * cutoffs.decay as {{ sql_type('float') }})
        end as views_per_offer_decayed,
        cast(running.n_purchases_decayed / 1e4 * cutoffs.decay as {{ sql_type('float') }})
            as n_purchases_decayed
    from running
    inner join cutoffs
        on
            {{ holds_at_cutoff('running', 'cutoffs') }}
    {%- if candidates_only %}
    inner join {{ ref('int_candidate_values') }} as candidates
        on
            candidates.attribute = '{{ attribute }}'
            and cutoffs.cutoff_date = candidates.cutoff_date
            and {{ attribute_value('running', attribute) }}
            = candidates.attribute_value
    {%- endif %}
)

select * from user_attributes
{%- endmacro %}
