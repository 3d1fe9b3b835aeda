-- question: who buys what, by sex, age and prefecture?
--
-- On the competition's files (purchases up to 2012-06-16, see the README) sex and age
-- decide on body and beauty, age on hotels, and the prefecture on whether people go out
-- or have goods sent. Delivered goods come first in both sexes and at every age from
-- 20.
--
-- sex: women are 48 % of the users and make 56 % of the purchases, as published. Hair,
--   spa, nail and beauty are 1.5 to 1.7 times as common among their purchases as in
--   all, among men's a third or less; men buy more hotels (1.35), food (1.25) and
--   leisure (1.2).
-- age: purchases rise with age, from 5 for each user in the twenties to 9.5 in the
--   fifties. Body and beauty sink with age (hair 2.3 times the average in the twenties,
--   0.3 in the sixties), hotels rise (0.7 in the thirties, 1.7 in the sixties, from 70
--   on twice). Delivered goods are 31 to 41 % at any age from 30.
-- prefecture: where shops are few, people buy what can be sent or travelled to: in
--   Ehime, Okayama, Yamaguchi delivered goods are 1.4 to 1.6 times the average, food a
--   third; in Tokyo and Osaka food is 1.3 to 1.4 times. Users without a prefecture buy
--   less (5.0 each, the others 8.2) and more gift cards.
--
-- `times_the_average` divides a genre's share in the group's purchases by its share in
-- all. Groups of few users have unsteady shares: see `n_users`.

with users as (
    select * from {{ ref('dim_users') }}
),

memberships as (
    {% for split_by, column in [
        ('sex', 'sex'),
        ('age', 'age_band'),
        ('prefecture', "coalesce(prefecture, 'not registered')"),
    ] -%}
    select
        user_id,
        {{ loop.index }} as position,
        '{{ split_by }}' as split_by,
        {{ column }} as group_name,
        age
    from users
    {%- if not loop.last %}
    union all
    {% endif -%}
    {%- endfor %}
),

purchases as (
    select
        purchases.user_id,
        coupons.genre
    from {{ ref('fct_purchases') }} as purchases
    inner join {{ ref('dim_coupons') }} as coupons
        on purchases.coupon_id = coupons.coupon_id
    where purchases.is_listed_user
),

user_groups as (
    select
        position,
        split_by,
        group_name,
        count(*) as n_users,
        min(age) as youngest
    from memberships
    group by position, split_by, group_name
),

genres as (
    select
        genre,
        count(*) as n_purchases
    from purchases
    group by genre
),

bought as (
    select
        memberships.split_by,
        memberships.group_name,
        purchases.genre,
        count(*) as n_purchases,
        count(distinct purchases.user_id) as n_buyers
    from purchases
    inner join memberships on purchases.user_id = memberships.user_id
    group by memberships.split_by, memberships.group_name, purchases.genre
),

shares as (
    select
        user_groups.position,
        user_groups.split_by,
        user_groups.group_name,
        user_groups.youngest,
        genres.genre,
        user_groups.n_users,
        coalesce(bought.n_buyers, 0) as n_buyers,
        coalesce(bought.n_purchases, 0) as n_purchases,
        1.0 * genres.n_purchases / sum(genres.n_purchases) over (
            partition by user_groups.split_by, user_groups.group_name
        ) as share_of_all
    from user_groups
    cross join genres
    left join bought
        on user_groups.split_by = bought.split_by
            and user_groups.group_name = bought.group_name
            and genres.genre = bought.genre
),

buyer_groups as (
    select
        *,
        1.0 * n_purchases / nullif(
            sum(n_purchases) over (partition by split_by, group_name), 0
        ) as share_of_group,
        sum(n_purchases) over (partition by split_by, group_name) as n_group_purchases
    from shares
)

select
    split_by,
    group_name,
    genre,
    n_users,
    round(1.0 * n_group_purchases / n_users, 2) as purchases_per_user,
    n_buyers,
    round(100.0 * n_buyers / n_users, 1) as buyers_percent,
    n_purchases,
    round(100.0 * share_of_group, 1) as percent_of_group,
    round(share_of_group / share_of_all, 2) as times_the_average
from buyer_groups
order by
    position asc,
    case when split_by = 'age' then youngest end asc,
    n_users desc,
    group_name asc,
    n_purchases desc,
    genre asc
