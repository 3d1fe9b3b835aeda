-- grain: one row per cutoff and user with an earlier purchase or page view
with weeks as (
    select
        events.user_id,
        events.known_from_date,
        coupons.valid_days is not null as is_dated,
        sum(events.n_purchases) as n_purchases,
        sum(events.n_views) as n_views
    from {{ ref('int_user_coupon_weeks') }} as events
    inner join {{ ref('dim_coupons') }} as coupons
        on events.coupon_id = coupons.coupon_id
    group by all
),

event_totals as (
    select
        cutoffs.cutoff_date,
        weeks.user_id,
        cast(sum({{ decayed_purchase_millionths('weeks', 'cutoffs') }}) as bigint)
            as decayed_purchase_millionths,
        {% for name, condition in [
            ('dated', 'weeks.is_dated'), ('undated', 'not weeks.is_dated')
        ] -%}
        cast(coalesce(
            sum(case when {{ condition }} then weeks.n_purchases end), 0
        ) as integer) as n_{{ name }}_purchases,
        case
            when cutoffs.has_visit_log then cast(coalesce(
                    sum(case when {{ condition }} then weeks.n_views end), 0
                ) as integer)
        end as n_{{ name }}_views
        {%- if not loop.last %},
        {% endif %}
        {%- endfor %}
    from {{ ref('int_cutoffs_to_build') }} as cutoffs
    inner join weeks on cutoffs.cutoff_date >= weeks.known_from_date
    group by cutoffs.cutoff_date, cutoffs.has_visit_log, weeks.user_id
)

select * from event_totals
