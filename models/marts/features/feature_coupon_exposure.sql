-- grain: one row per cutoff and coupon whose sale starts in its target week
{%- set days = usability_days() %}

with cutoffs as (
    select * from {{ ref('int_cutoffs_to_build') }}
),

coupons as (
    select * from {{ ref('dim_coupons') }}
),

recent_releases as (
    select
        cutoffs.cutoff_date,
        sum(coupons.display_days) as display_days,
        count(coupons.display_days) as n_coupons
    from cutoffs
    inner join coupons
        on
            cutoffs.cutoff_at > coupons.sale_start_at
            and {{ dbt.dateadd('day', -28, 'cutoffs.cutoff_at') }}
            <= coupons.sale_start_at
    group by cutoffs.cutoff_date
),

exposure_features as (
    select
        cutoffs.cutoff_date,
        coupons.coupon_id,
        (
            {{ epoch_seconds('least(coupons.sale_end_at, cutoffs.target_end_at)') }}
            - {{ epoch_seconds('coupons.sale_start_at') }}
        ) / cast(3600 as {{ sql_type('double') }}) as sale_hours_in_week,
        cast({{ day_of_week('coupons.sale_start_at') }} as integer)
            as release_day_of_week,
        cast(extract(hour from coupons.sale_start_at) as integer) as release_hour,
        coupons.display_days,
        coupons.display_days
        * cast(recent_releases.n_coupons as {{ sql_type('double') }})
        / nullif(recent_releases.display_days, 0) as display_days_to_recent_ratio,
        coupons.valid_days,
        cast({{ dbt.datediff(
            'coupons.sale_start_at', 'coupons.valid_from_date', 'day'
        ) }} as integer) as days_until_valid,
        coupons.usable_on_monday != 'no_day_rule' as has_day_rule,
        coupons.usability_pattern,
        coupons.usable_on_saturday,
        coupons.usable_on_sunday,
        coupons.usable_on_holiday,
        {% for value, column in [
            ('usable', 'n_usable_days'), ('conditional', 'n_conditional_days')
        ] -%}
        cast(
            {% for day in days -%}
            case coupons.usable_on_{{ day.name }} when '{{ value }}' then 1 else 0 end
            {%- if not loop.last %} + {% endif %}
            {% endfor %}
            as integer
        ) as {{ column }},
        {% endfor -%}
        free_days.n_usable_weekend_days,
        free_days.n_usable_holidays
    from cutoffs
    inner join coupons
        on
            coupons.sale_start_at >= cutoffs.cutoff_at
            and coupons.sale_start_at < cutoffs.target_end_at
    left join recent_releases on cutoffs.cutoff_date = recent_releases.cutoff_date
    left join {{ ref('int_coupon_free_days') }} as free_days
        on coupons.coupon_id = free_days.coupon_id
)

select * from exposure_features
