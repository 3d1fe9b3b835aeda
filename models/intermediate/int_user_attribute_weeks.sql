-- grain: one row per attribute, value, user and cutoff from which an event is known
-- depends_on: {{ ref('int_event_inputs') }}
with events as (
    select
        coupons.attribute,
        coupons.attribute_value,
        weeks.user_id,
        weeks.known_from_date,
        cast(sum(weeks.n_purchases) as integer) as n_purchases,
        cast(sum(weeks.n_views) as integer) as n_views
    from {{ ref('int_user_coupon_weeks') }} as weeks
    inner join {{ ref('int_coupon_attributes') }} as coupons
        on weeks.coupon_id = coupons.coupon_id
    where {{ is_week_to_build(dbt.dateadd('day', -7, 'weeks.known_from_date')) }}
    group by all
),

user_attribute_weeks as (
    select
        events.*,
        -- whole numbers, so that sums do not depend on the order of rows; an event
        -- outside the sale may find nothing on offer
        cast(round(
            1e6 * events.n_purchases / coalesce(offers.n_offers, 1)
        ) as bigint) as purchase_millionths,
        cast(round(1e6 * events.n_views / coalesce(offers.n_offers, 1)) as bigint)
            as view_millionths
    from events
    left join {{ ref('int_attribute_offers') }} as offers
        on
            events.attribute = offers.attribute
            and events.attribute_value = offers.attribute_value
            and events.known_from_date = offers.known_from_date
)

select * from user_attribute_weeks
