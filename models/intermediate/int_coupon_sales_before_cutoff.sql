-- grain: one row per cutoff and coupon whose sale started before it
with cutoffs as (
    select
        *,
        {{ dbt.dateadd('day', -28, 'cutoff_at') }} as recent_from_at
    from {{ ref('int_cutoffs_to_build') }}
),

released as (
    select
        cutoffs.cutoff_date,
        cutoffs.has_visit_log,
        coupons.coupon_id,
        coupons.shop_key_id,
        coupons.genre,
        coupons.genre_price_band,
        coupons.small_area,
        coupons.sale_start_at,
        coupons.sale_end_at > cutoffs.cutoff_at as is_still_on_sale,
        coupons.sale_start_at = max(coupons.sale_start_at) over (
            partition by cutoffs.cutoff_date, coupons.shop_key_id
        ) as is_last_shop_issue,
        {{ epoch_seconds('least(coupons.sale_end_at, cutoffs.cutoff_at)') }}
        - {{ epoch_seconds('coupons.sale_start_at') }} as seconds_on_sale,
        greatest(
            {{ epoch_seconds('least(coupons.sale_end_at, cutoffs.cutoff_at)') }}
            - {{ epoch_seconds(
                'greatest(coupons.sale_start_at, cutoffs.recent_from_at)'
            ) }},
            0
        ) as seconds_on_sale_28d
    from cutoffs
    inner join {{ ref('dim_coupons') }} as coupons
        on coupons.sale_start_at < cutoffs.cutoff_at
),

counted as (
    select
        cutoffs.cutoff_date,
        weeks.coupon_id,
        {% for column in ['n_new_buyers', 'n_new_viewers'] -%}
        sum(weeks.{{ column }}) as {{ column }},
        sum(
            case
                when
                    weeks.week_start_date >= cast(cutoffs.recent_from_at as date)
                    then weeks.{{ column }}
            end
        ) as {{ column }}_28d,
        {% endfor -%}
        sum(weeks.n_purchases) as n_purchases,
        sum(weeks.n_first_purchases) as n_first_purchases,
        sum(weeks.n_new_viewers_and_buyers) as n_viewers_and_buyers
    from cutoffs
    inner join {{ ref('int_coupon_weeks') }} as weeks
        on weeks.week_start_date < cutoffs.cutoff_date
    group by cutoffs.cutoff_date, weeks.coupon_id
),

coupon_sales as (
    select
        released.*,
        {% for name, column in [
            ('n_viewers', 'n_new_viewers'),
            ('n_viewers_28d', 'n_new_viewers_28d'),
            ('n_viewers_and_buyers', 'n_viewers_and_buyers'),
        ] -%}
        case when released.has_visit_log then coalesce(counted.{{ column }}, 0) end
            as {{ name }},
        {% endfor -%}
        coalesce(counted.n_new_buyers, 0) as n_buyers,
        coalesce(counted.n_new_buyers_28d, 0) as n_buyers_28d,
        coalesce(counted.n_purchases, 0) as n_purchases,
        coalesce(counted.n_first_purchases, 0) as n_first_purchases
    from released
    left join counted
        on
            released.cutoff_date = counted.cutoff_date
            and released.coupon_id = counted.coupon_id
)

select * from coupon_sales
