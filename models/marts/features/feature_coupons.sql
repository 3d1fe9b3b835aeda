-- grain: one row per cutoff and coupon whose sale starts in its target week
{%- set days = usability_days() %}

with cutoffs as (
    select * from {{ ref('cutoffs') }}
),

coupons as (
    select * from {{ ref('dim_coupons') }}
),

coupon_features as (
    select
        cutoffs.cutoff_date,
        coupons.coupon_id,
        coupons.shop_key_id,
        coupons.genre,
        coupons.genre_price_band,
        coupons.capsule,
        coupons.large_area,
        coupons.prefecture,
        coupons.small_area,
        coupons.catalog_price_yen,
        coupons.discount_price_yen,
        coupons.catalog_price_yen - coupons.discount_price_yen as saving_yen,
        -- computed, not read: the file's own rate is tested against it
        1 - coupons.discount_price_yen
        / cast(nullif(coupons.catalog_price_yen, 0) as double)
            as discount_share,
        (
            {{ epoch_seconds('least(coupons.sale_end_at, cutoffs.target_end_at)') }}
            - {{ epoch_seconds('coupons.sale_start_at') }}
        ) / cast(3600 as double) as sale_hours_in_week,
        cast({{ day_of_week('coupons.sale_start_at') }} as integer)
            as release_day_of_week,
        coupons.display_days,
        coupons.valid_days,
        cast({{ dbt.datediff(
            'coupons.sale_start_at', 'coupons.valid_from_date', 'day'
        ) }} as integer) as days_until_valid,
        coupons.usable_on_monday != 'no_day_rule' as has_day_rule,
        coupons.usable_on_saturday,
        coupons.usable_on_sunday,
        coupons.usable_on_holiday,
        cast(
            {% for day in days -%}
            case coupons.usable_on_{{ day.name }} when 'usable' then 1 else 0 end
            {%- if not loop.last %} + {% endif %}
            {% endfor %}
            as integer
        ) as n_usable_days,
        cast(
            {% for day in days -%}
            case coupons.usable_on_{{ day.name }}
                when 'conditional' then 1 else 0
            end
            {%- if not loop.last %} + {% endif %}
            {% endfor %}
            as integer
        ) as n_conditional_days
    from cutoffs
    inner join coupons
        on
            coupons.sale_start_at >= cutoffs.cutoff_at
            and coupons.sale_start_at < cutoffs.target_end_at
)

select * from coupon_features
