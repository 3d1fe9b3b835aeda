-- question: what do the values 0, 1, 2 and null of USABLE_DATE_* mean?
--
-- The competition's data page does not say. On the competition's files 1 reads as
-- usable, 0 as not usable, 2 as usable on conditions and null as no rule about days.
--
-- null: the coupon has no rule about days. The nine columns are null together or not at
--   all (null for 36 % of the coupons), and null follows the kind of coupon: all
--   delivered goods but one, nearly all gift cards, most coupons of the genre "other",
--   a handful elsewhere; of the lessons since June 2012 those by correspondence all,
--   those attended in person none. It does not stand for "every day", which is written
--   as nine times 1. Coupons without a validity period have no day rule (all but two),
--   but not the other way round: 6 % of those with a period have none either.
-- 1: usable. The rule on all days: 90 % on Mondays, 68 % on Saturdays.
-- 0: not usable. It sits where shops are closed or full: hair salons on Mondays (27 %)
--   and Tuesdays (23 %), the days on which Japanese salons close; hotels on Saturdays
--   and days before holidays (21 % each), seldom on other days.
-- 2: conditional, somewhere between the two. It is no error and no other kind of null:
--   it follows the day. Two thirds of all 2 are of hotels, where it stands on Saturdays
--   (55 %) and days before holidays (48 %), the nights for which inns charge more, and
--   seldom on other days. Hotels and Japanese hotels with a 2 on Saturdays cost about
--   as much as those with a 0 and half as much again as those with a 1. When a hotel's
--   offer is issued again with another code for Saturdays, four times out of five it
--   comes from 2 or goes to 2, and seldom from 0 to 1 or back; with other coupons it is
--   less than half.
--
-- What stays open is the condition. A surcharge or a dearer plan fits hotels. "On some
-- of these days" would fit as well, and better for hair salons, where one in nine has a
-- 2 on Tuesdays: many salons close on some Tuesdays of the month. The data hold no text
-- that could decide it, so 2 is a value of its own (conditional) and never counts as
-- usable.
--
-- The sample data copy which patterns of codes each genre has, not their prices or
-- changes: questions 8 and 9 have no answer there.
{%- set days = usability_days() %}

with coupons as (
    select * from {{ ref('int_coupons') }}
),

codes as (
    {% for day in days -%}
    select
        coupon_id,
        genre,
        {{ loop.index }} as day_number,
        '{{ day.name }}' as day_name,
        coalesce(cast({{ day.name }}_code as {{ dbt.type_string() }}), 'null') as code
    from coupons
    {%- if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
),

null_codes as (
    select
        coupons.coupon_id,
        coupons.genre,
        coupons.valid_days is not null as has_validity,
        count(case when codes.code = 'null' then 1 end) as n_null
    from coupons
    inner join codes on coupons.coupon_id = codes.coupon_id
    group by coupons.coupon_id, coupons.genre, has_validity
),

issues as (
    select
        case when genre = 'hotel' then 'hotel' else 'other genres' end as kind,
        coalesce(cast(saturday_code as {{ dbt.type_string() }}), 'null') as code,
        lead(coalesce(cast(saturday_code as {{ dbt.type_string() }}), 'null')) over (
            partition by shop_key_id
            order by sale_start_at, coupon_id
        ) as next_code
    from coupons
),

counted as (
    select
        '1 how many of the nine columns are null' as question,
        'all coupons' as group_name,
        cast(n_null as {{ dbt.type_string() }}) as value,
        0 as position,
        count(*) as n,
        cast(null as {{ sql_type('double') }}) as median_price_yen
    from null_codes
    group by n_null
    union all
    select
        '2 which genres have no day rule' as question,
        genre as group_name,
        case when n_null > 0 then 'null' else 'a code' end as value,
        0 as position,
        count(*) as n,
        null as median_price_yen
    from null_codes
    group by genre, value
    union all
    select
        '3 is null the same as no validity period' as question,
        case when has_validity then 'validity period' else 'no validity period' end
            as group_name,
        case when n_null > 0 then 'null' else 'a code' end as value,
        0 as position,
        count(*) as n,
        null as median_price_yen
    from null_codes
    group by has_validity, value
    union all
    select
        '4 how common is each code by day' as question,
        day_name as group_name,
        code as value,
        day_number as position,
        count(*) as n,
        null as median_price_yen
    from codes
    where code != 'null'
    group by day_number, day_name, code
    union all
    select
        '5 which genres have the code 2' as question,
        'all days' as group_name,
        genre as value,
        0 as position,
        count(*) as n,
        null as median_price_yen
    from codes
    where code = '2'
    group by genre
    union all
    select
        '6 how common is each code by day, hotels' as question,
        day_name as group_name,
        code as value,
        day_number as position,
        count(*) as n,
        null as median_price_yen
    from codes
    where code != 'null' and genre = 'hotel'
    group by day_number, day_name, code
    union all
    select
        '7 how common is each code by day, hair salons' as question,
        day_name as group_name,
        code as value,
        day_number as position,
        count(*) as n,
        null as median_price_yen
    from codes
    where code != 'null' and genre = 'hair'
    group by day_number, day_name, code
    union all
    select
        '8 what do hotels cost, by code of Saturdays' as question,
        capsule as group_name,
        coalesce(cast(saturday_code as {{ dbt.type_string() }}), 'null') as value,
        0 as position,
        count(*) as n,
        {{ median('discount_price_yen') }} as median_price_yen
    from coupons
    where genre = 'hotel'
    group by capsule, saturday_code
    union all
    select
        '9 an offer issued again: code of Saturdays then and now' as question,
        kind || ', from ' || code as group_name,
        'to ' || next_code as value,
        0 as position,
        count(*) as n,
        null as median_price_yen
    from issues
    where code != 'null' and next_code != 'null'
    group by kind, code, next_code
),

answers as (
    select
        question,
        group_name,
        value,
        n,
        round(
            100.0 * n / sum(n) over (partition by question, group_name), 1
        ) as percent_of_group,
        median_price_yen,
        position
    from counted
)

select
    question,
    group_name,
    value,
    n,
    percent_of_group,
    median_price_yen
from answers
order by question, position, group_name, value
