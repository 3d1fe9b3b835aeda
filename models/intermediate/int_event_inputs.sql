-- grain: one row per week in which an event happened, or after which one is known
with coupons as (
    select * from {{ ref('dim_coupons') }}
),

coupon_hashes as (
    select
        coupon_id,
        release_week_date,
        sale_start_at,
        sale_end_at,
        {{ sum_of_row_hashes('coupons') }} as hash_sum
    from coupons
    group by coupon_id, release_week_date, sale_start_at, sale_end_at
),

events as (
    select * from {{ ref('int_event_hashes') }}
),

-- what happened, of which coupon, and after which week that is known
known as (
    select
        events.week_start_date as happened_week_date,
        greatest(
            events.week_start_date,
            coalesce(coupons.release_week_date, events.week_start_date)
        ) as known_week_date,
        events.hash_sum as event_sum,
        coupons.hash_sum as coupon_sum
    from events
    left join coupon_hashes as coupons
        on events.coupon_id = coupons.coupon_id
),

happened_or_known as (
    {% for week in ['happened', 'known'] -%}
    select
        '{{ week }}' as kind,
        {{ week }}_week_date as week_start_date,
        sum(event_sum) as event_sum,
        sum(coupon_sum) as coupon_sum
    from known
    group by {{ week }}_week_date
    {% if not loop.last -%}
    union all
    {% endif -%}
    {% endfor -%}
),

weeks as (
    select distinct week_start_date from happened_or_known
),

sums as (
    select * from happened_or_known
    union all
    -- what was on sale in the week, whoever looked at it
    select
        'on sale' as kind,
        weeks.week_start_date,
        null as event_sum,
        sum(coupons.hash_sum) as coupon_sum
    from weeks
    inner join coupon_hashes as coupons
        on
            coupons.sale_start_at
            < {{ dbt.dateadd('day', 7, 'weeks.week_start_date') }}
            and coupons.sale_end_at > weeks.week_start_date
    group by weeks.week_start_date
),

week_sums as (
    select
        week_start_date,
        {{ sum_of_row_hashes('sums') }} as hash_sum
    from sums
    group by week_start_date
),

event_inputs as (
    select
        weeks.week_start_date,
        {{ dbt.hash(dbt.concat([
            'files.project_fingerprint', "','",
            dbt.string_literal(variables_of_this_build()), "','",
            'cast(weeks.hash_sum as ' ~ dbt.type_string() ~ ')',
        ])) }} as input_fingerprint
    from week_sums as weeks
    cross join {{ ref('data_fingerprint') }} as files
)

select * from event_inputs
