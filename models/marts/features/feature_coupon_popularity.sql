-- grain: one row per cutoff and coupon whose sale starts in its target week
{%- set groups = sale_groups('coupons') %}
{%- set names = groups | map(attribute='name') | list %}
{%- set prior_seconds = 86400 * var('popularity_prior_days') %}
{%- set prior_count = var('popularity_prior_count') %}

with candidates as (
    select
        coupons.cutoff_date,
        coupons.coupon_id,
        {% for group in groups -%}
        {{ group.key }} as {{ group.name }}_key,
        {% endfor -%}
        3600 * exposure.sale_hours_in_week as seconds_in_week
    from {{ ref('feature_coupons') }} as coupons
    inner join {{ ref('feature_coupon_exposure') }} as exposure
        on
            coupons.cutoff_date = exposure.cutoff_date
            and coupons.coupon_id = exposure.coupon_id
),

early_viewers as (
    select
        candidates.coupon_id,
        sum(weeks.n_new_viewers) as n_viewers
    from candidates
    inner join {{ ref('int_coupon_weeks') }} as weeks
        on
            candidates.coupon_id = weeks.coupon_id
            and candidates.cutoff_date > weeks.week_start_date
    group by candidates.coupon_id
),

sales_records as (
    select * from {{ ref('int_sales_records_before_cutoff') }}
),

popularity_features as (
    select
        candidates.cutoff_date,
        candidates.coupon_id,
        cast(coalesce(shop.n_issues, 0) as integer) as n_shop_issues,
        cast(coalesce(shop.n_issues_on_sale, 0) as integer)
            as n_shop_issues_on_sale,
        cast({{ dbt.datediff(
            'shop.last_sale_start_at', 'candidates.cutoff_date', 'day'
        ) }} as integer) as days_since_last_shop_issue,
        shop.n_buyers
        / cast(shop.n_issues as {{ sql_type('double') }}) as shop_buyers_per_issue,
        cast(coalesce(area_band.n_issues, 0) as integer) as n_area_band_issues,
        -- records of single groups
        {% for name, events, seconds in [
            ('shop_buyers', 'shop.n_buyers', 'shop.seconds_on_sale'),
            ('last_shop_issue_buyers', 'shop.n_last_buyers', 'shop.last_seconds_on_sale'),
            ('shop_viewers', 'shop.n_viewers', 'shop.seconds_on_sale'),
            ('recent_genre_buyers', 'genre.n_buyers_28d', 'genre.seconds_on_sale_28d'),
            ('recent_genre_viewers', 'genre.n_viewers_28d', 'genre.seconds_on_sale_28d'),
        ] -%}
        cast(86400 as {{ sql_type('double') }})
        * {{ events }}
        / nullif({{ seconds }}, 0)
            as {{ name }}_per_day,
        {% endfor -%}
        -- records shrunken towards those of wider groups; the widest is taken as it is
        {% for name, factor, levels in [
            ('genre_%s_per_day', '86400', names[:1]),
            ('area_band_%s_per_day', '86400', names[:3]),
            ('coupon_%s_per_day', '86400', names),
            ('expected_%s', 'candidates.seconds_in_week', names),
        ] -%}
        coalesce(
            {{ factor }}
            * {{ shrunken_rate('n_buyers', 'seconds_on_sale', prior_seconds, levels) }},
            0
        ) as {{ name | replace('%s', 'buyers') }},
        {{ factor }}
        * {{ shrunken_rate('n_viewers', 'seconds_on_sale', prior_seconds, levels) }}
            as {{ name | replace('%s', 'viewers') }},
        {% endfor -%}
        {{ shrunken_rate('n_first_purchases', 'n_purchases', prior_count, names) }}
            as shop_new_buyer_share,
        {{ shrunken_rate('n_viewers_and_buyers', 'n_viewers', prior_count, names) }}
            as shop_viewer_purchase_share,
        case
            when cutoffs.has_visit_log
                then cast(coalesce(early_viewers.n_viewers, 0) as integer)
        end as n_early_viewers
    from candidates
    inner join {{ ref('int_cutoffs_to_build') }} as cutoffs
        on candidates.cutoff_date = cutoffs.cutoff_date
    left join early_viewers on candidates.coupon_id = early_viewers.coupon_id
    {%- for name in names %}
    left join sales_records as {{ name }}
        on
            candidates.cutoff_date = {{ name }}.cutoff_date
            and candidates.{{ name }}_key = {{ name }}.group_key
            and {{ name }}.group_kind = '{{ name }}'
    {%- endfor %}
)

select * from popularity_features
