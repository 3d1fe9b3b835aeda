-- The features of the project's first version, as that version made them, for the
-- reference alone. Nothing here may be changed: what is learned about features later
-- must not reach a yardstick. So only facts are read (core, distances between
-- prefectures) and which pairs were sampled, of the cutoffs in reference_cutoffs.
-- Everything is temporary.

-- grain: one row per cutoff and earlier purchase of a listed coupon by a listed user
create or replace temporary table reference_purchases as
with aged as (
    select
        cutoffs.cutoff_date,
        purchases.user_id,
        purchases.coupon_id,
        purchases.spend_yen,
        cast(floor(epoch(cutoffs.cutoff_at)) as bigint)
        - cast(floor(epoch(purchases.purchased_at)) as bigint) as age_seconds
    from reference_cutoffs as cutoffs
    inner join core.fct_purchases as purchases
        on purchases.purchased_at < cutoffs.cutoff_at
    where purchases.is_listed_user and purchases.is_listed_coupon
)

select
    aged.cutoff_date,
    aged.user_id,
    aged.coupon_id,
    coupons.genre,
    coupons.large_area,
    coupons.prefecture,
    coupons.small_area,
    coupons.shop_key_id,
    aged.spend_yen,
    coupons.discount_price_yen,
    cast(floor(aged.age_seconds / 86400.0) as integer) as age_days,
    -- counts half after 90 days; whole, so that sums do not depend on the order of rows
    cast(round(10000 * power(0.5, aged.age_seconds / (86400.0 * 90))) as bigint)
        as decayed_weight
from aged
inner join core.dim_coupons as coupons on aged.coupon_id = coupons.coupon_id;

-- grain: one row per cutoff and user registered before it
create or replace temporary table reference_users as
with history as (
    select
        cutoff_date,
        user_id,
        count(*) as n_purchases,
        count(*) filter (where age_days < 28) as n_purchases_28d,
        sum(spend_yen) as spend_yen,
        sum(discount_price_yen) as price_yen,
        min(age_days) as days_since_last_purchase
    from reference_purchases
    group by cutoff_date, user_id
)

select
    cutoffs.cutoff_date,
    users.user_id,
    users.sex as user_sex,
    users.age as user_age,
    users.prefecture as user_prefecture,
    users.prefecture_status = 'registered' as is_prefecture_known,
    date_diff('day', users.registered_at, cutoffs.cutoff_at) as user_tenure_days,
    coalesce(users.withdrawn_at < cutoffs.cutoff_at, false) as is_withdrawn,
    coalesce(history.n_purchases, 0) as n_user_purchases,
    coalesce(history.n_purchases_28d, 0) as n_user_purchases_28d,
    cast(coalesce(history.spend_yen, 0) as bigint) as user_spend_yen,
    history.price_yen / cast(history.n_purchases as double) as user_mean_price_yen,
    history.days_since_last_purchase
from reference_cutoffs as cutoffs
inner join core.dim_users as users on users.registered_at < cutoffs.cutoff_at
left join history
    on
        cutoffs.cutoff_date = history.cutoff_date
        and users.user_id = history.user_id;

-- grain: one row per cutoff and coupon whose sale started before it
create or replace temporary table reference_sales as
with buyers as (
    select
        cutoff_date,
        coupon_id,
        count(distinct user_id) as n_buyers
    from reference_purchases
    group by cutoff_date, coupon_id
)

select
    cutoffs.cutoff_date,
    coupons.genre,
    coupons.shop_key_id,
    coupons.sale_start_at,
    coupons.sale_end_at > cutoffs.cutoff_at as is_still_on_sale,
    cast(floor(epoch(least(coupons.sale_end_at, cutoffs.cutoff_at))) as bigint)
    - cast(floor(epoch(coupons.sale_start_at)) as bigint) as seconds_on_sale,
    coalesce(buyers.n_buyers, 0) as n_buyers
from reference_cutoffs as cutoffs
inner join core.dim_coupons as coupons
    on coupons.sale_start_at < cutoffs.cutoff_at
left join buyers
    on
        cutoffs.cutoff_date = buyers.cutoff_date
        and coupons.coupon_id = buyers.coupon_id;

-- grain: one row per cutoff and coupon whose sale starts in its target week
create or replace temporary table reference_coupons as
with candidates as (
    select
        cutoffs.cutoff_date,
        coupons.coupon_id,
        coupons.shop_key_id,
        coupons.genre,
        coupons.capsule,
        coupons.large_area,
        coupons.prefecture,
        coupons.small_area,
        coupons.catalog_price_yen,
        coupons.discount_price_yen,
        coupons.catalog_price_yen - coupons.discount_price_yen as saving_yen,
        1 - coupons.discount_price_yen
        / cast(nullif(coupons.catalog_price_yen, 0) as double) as discount_share,
        (
            cast(
                floor(epoch(least(coupons.sale_end_at, cutoffs.target_end_at)))
                as bigint
            ) - cast(floor(epoch(coupons.sale_start_at)) as bigint)
        ) / cast(3600 as double) as sale_hours_in_week,
        extract(dow from coupons.sale_start_at) as release_day_of_week,
        coupons.display_days,
        coupons.valid_days,
        date_diff('day', coupons.sale_start_at, coupons.valid_from_date)
            as days_until_valid,
        coupons.usable_on_monday != 'no_day_rule' as has_day_rule,
        coupons.usable_on_saturday,
        coupons.usable_on_sunday,
        coupons.usable_on_holiday,
        cast(coupons.usable_on_monday = 'usable' as integer)
        + cast(coupons.usable_on_tuesday = 'usable' as integer)
        + cast(coupons.usable_on_wednesday = 'usable' as integer)
        + cast(coupons.usable_on_thursday = 'usable' as integer)
        + cast(coupons.usable_on_friday = 'usable' as integer)
        + cast(coupons.usable_on_saturday = 'usable' as integer)
        + cast(coupons.usable_on_sunday = 'usable' as integer)
        + cast(coupons.usable_on_holiday = 'usable' as integer)
        + cast(coupons.usable_on_day_before_holiday = 'usable' as integer)
            as n_usable_days,
        cast(coupons.usable_on_monday = 'conditional' as integer)
        + cast(coupons.usable_on_tuesday = 'conditional' as integer)
        + cast(coupons.usable_on_wednesday = 'conditional' as integer)
        + cast(coupons.usable_on_thursday = 'conditional' as integer)
        + cast(coupons.usable_on_friday = 'conditional' as integer)
        + cast(coupons.usable_on_saturday = 'conditional' as integer)
        + cast(coupons.usable_on_sunday = 'conditional' as integer)
        + cast(coupons.usable_on_holiday = 'conditional' as integer)
        + cast(coupons.usable_on_day_before_holiday = 'conditional' as integer)
            as n_conditional_days
    from reference_cutoffs as cutoffs
    inner join core.dim_coupons as coupons
        on
            coupons.sale_start_at >= cutoffs.cutoff_at
            and coupons.sale_start_at < cutoffs.target_end_at
),

by_genre as (
    select
        cutoff_date,
        genre,
        cast(86400 as double) * sum(n_buyers) / nullif(sum(seconds_on_sale), 0)
            as buyers_per_day
    from reference_sales
    group by cutoff_date, genre
),

by_shop as (
    select
        cutoff_date,
        shop_key_id,
        count(*) as n_issues,
        count(*) filter (where is_still_on_sale) as n_issues_on_sale,
        sum(n_buyers) as n_buyers,
        sum(seconds_on_sale) / cast(86400 as double) as days_on_sale,
        max(sale_start_at) as last_sale_start_at
    from reference_sales
    group by cutoff_date, shop_key_id
)

select
    candidates.*,
    coalesce(by_shop.n_issues, 0) as n_shop_issues,
    coalesce(by_shop.n_issues_on_sale, 0) as n_shop_issues_on_sale,
    date_diff('day', by_shop.last_sale_start_at, candidates.cutoff_date)
        as days_since_last_shop_issue,
    by_shop.n_buyers / cast(by_shop.n_issues as double) as shop_buyers_per_issue,
    coalesce(by_genre.buyers_per_day, 0) as genre_buyers_per_day,
    -- the shop's own record, shrunken towards its genre's by five days of sale
    (coalesce(by_shop.n_buyers, 0) + 5 * coalesce(by_genre.buyers_per_day, 0))
    / (coalesce(by_shop.days_on_sale, 0) + 5) as coupon_buyers_per_day,
    candidates.sale_hours_in_week / 24
    * (coalesce(by_shop.n_buyers, 0) + 5 * coalesce(by_genre.buyers_per_day, 0))
    / (coalesce(by_shop.days_on_sale, 0) + 5) as expected_buyers
from candidates
left join by_genre
    on
        candidates.cutoff_date = by_genre.cutoff_date
        and candidates.genre = by_genre.genre
left join by_shop
    on
        candidates.cutoff_date = by_shop.cutoff_date
        and candidates.shop_key_id = by_shop.shop_key_id;

-- grain: one row per cutoff, user, attribute and value of an earlier purchase's coupon
create or replace temporary table reference_shares as
with history as (
    select
        cutoff_date,
        user_id,
        attribute,
        value,
        count(*) as n_purchases,
        sum(decayed_weight) as decayed_weight
    from reference_purchases
    unpivot include nulls (
        value for attribute in (genre, large_area, prefecture, small_area)
    )
    group by cutoff_date, user_id, attribute, value
),

totals as (
    select
        cutoff_date,
        user_id,
        count(*) as n_purchases,
        sum(decayed_weight) as decayed_weight
    from reference_purchases
    group by cutoff_date, user_id
)

select
    history.cutoff_date,
    history.user_id,
    history.attribute,
    history.value,
    history.n_purchases / cast(totals.n_purchases as double) as purchase_share,
    history.decayed_weight / cast(nullif(totals.decayed_weight, 0) as double)
        as profile_share
from history
inner join totals
    on
        history.cutoff_date = totals.cutoff_date
        and history.user_id = totals.user_id;

-- grain: one row per cutoff and user with an earlier purchase
create or replace temporary table reference_profiles as
select
    cutoff_date,
    user_id,
    -- in whole numbers, so that the sum does not depend on the order of rows
    sqrt(sum(cast(round(1000000000 * power(profile_share, 2) * case attribute
        when 'genre' then 2
        when 'large_area' then 1
        when 'prefecture' then 4
        when 'small_area' then 2
    end) as bigint)) / cast(1000000000 as double)) as profile_norm
from reference_shares
group by cutoff_date, user_id;

-- grain: one row per cutoff, user and shop key of an earlier purchase
create or replace temporary table reference_shops as
select
    cutoff_date,
    user_id,
    shop_key_id,
    count(*) as n_purchases,
    min(age_days) as days_since_last_purchase
from reference_purchases
group by cutoff_date, user_id, shop_key_id;

drop table reference_purchases;
drop table reference_sales;

-- grain: one row per listed coupon and prefecture in which it is listed
create or replace temporary table reference_listings as
select distinct
    coupon_id,
    prefecture
from core.bridge_coupon_areas
where prefecture is not null;

-- grain: one row per sampled pair, and one per candidate pair
create or replace temporary view reference_pairs as
with pairs as (
    select
        true as is_sampled,
        cutoff_date,
        user_id,
        coupon_id,
        label,
        weight,
        is_viewed
    from ml.training_pairs
    union all
    select
        false as is_sampled,
        users.cutoff_date,
        users.user_id,
        coupons.coupon_id,
        null as label,
        null as weight,
        null as is_viewed
    from reference_users as users
    inner join reference_coupons as coupons
        on users.cutoff_date = coupons.cutoff_date
)

select
    pairs.is_sampled,
    pairs.cutoff_date,
    pairs.user_id,
    pairs.coupon_id,
    pairs.label,
    pairs.weight,
    pairs.is_viewed,
    -- user
    users.user_sex,
    users.user_age,
    users.is_prefecture_known,
    users.user_tenure_days,
    users.is_withdrawn,
    users.n_user_purchases,
    users.n_user_purchases_28d,
    users.user_spend_yen,
    users.user_mean_price_yen,
    users.days_since_last_purchase,
    -- coupon
    coupons.genre,
    coupons.capsule,
    coupons.large_area,
    coupons.catalog_price_yen,
    coupons.discount_price_yen,
    coupons.saving_yen,
    coupons.discount_share,
    coupons.sale_hours_in_week,
    coupons.release_day_of_week,
    coupons.display_days,
    coupons.valid_days,
    coupons.days_until_valid,
    coupons.has_day_rule,
    coupons.usable_on_saturday,
    coupons.usable_on_sunday,
    coupons.usable_on_holiday,
    coupons.n_usable_days,
    coupons.n_conditional_days,
    coupons.n_shop_issues,
    coupons.n_shop_issues_on_sale,
    coupons.days_since_last_shop_issue,
    coupons.shop_buyers_per_issue,
    coupons.genre_buyers_per_day,
    coupons.coupon_buyers_per_day,
    coupons.expected_buyers,
    -- pair
    users.user_prefecture = coupons.prefecture as is_same_prefecture,
    case
        when users.user_prefecture is null then null
        else
            listings.coupon_id is not null
            or users.user_prefecture = coupons.prefecture
    end as is_listed_in_prefecture,
    distances.distance_km,
    coalesce(genres.purchase_share, 0) as genre_purchase_share,
    coalesce(prefectures.purchase_share, 0) as prefecture_purchase_share,
    coalesce(small_areas.purchase_share, 0) as small_area_purchase_share,
    coalesce(shops.n_purchases, 0) as n_shop_purchases,
    shops.days_since_last_purchase as days_since_shop_purchase,
    coupons.discount_price_yen / nullif(users.user_mean_price_yen, 0)
        as price_to_user_mean_ratio,
    coalesce(
        (
            2 * coalesce(genres.profile_share, 0)
            + coalesce(large_areas.profile_share, 0)
            + 4 * coalesce(prefectures.profile_share, 0)
            + 2 * coalesce(small_areas.profile_share, 0)
        ) / (profiles.profile_norm * sqrt(cast(9 as double))),
        0
    ) as profile_cosine
from pairs
inner join reference_users as users
    on
        pairs.cutoff_date = users.cutoff_date
        and pairs.user_id = users.user_id
inner join reference_coupons as coupons
    on
        pairs.cutoff_date = coupons.cutoff_date
        and pairs.coupon_id = coupons.coupon_id
left join reference_profiles as profiles
    on
        pairs.cutoff_date = profiles.cutoff_date
        and pairs.user_id = profiles.user_id
left join reference_shares as genres
    on
        pairs.cutoff_date = genres.cutoff_date
        and pairs.user_id = genres.user_id
        and coupons.genre = genres.value
        and genres.attribute = 'genre'
left join reference_shares as large_areas
    on
        pairs.cutoff_date = large_areas.cutoff_date
        and pairs.user_id = large_areas.user_id
        and coupons.large_area = large_areas.value
        and large_areas.attribute = 'large_area'
left join reference_shares as prefectures
    on
        pairs.cutoff_date = prefectures.cutoff_date
        and pairs.user_id = prefectures.user_id
        and coupons.prefecture = prefectures.value
        and prefectures.attribute = 'prefecture'
left join reference_shares as small_areas
    on
        pairs.cutoff_date = small_areas.cutoff_date
        and pairs.user_id = small_areas.user_id
        and coupons.small_area = small_areas.value
        and small_areas.attribute = 'small_area'
left join reference_shops as shops
    on
        pairs.cutoff_date = shops.cutoff_date
        and pairs.user_id = shops.user_id
        and coupons.shop_key_id = shops.shop_key_id
left join intermediate.int_prefecture_distances as distances
    on
        users.user_prefecture = distances.user_prefecture
        and coupons.prefecture = distances.coupon_prefecture
left join reference_listings as listings
    on
        pairs.coupon_id = listings.coupon_id
        and users.user_prefecture = listings.prefecture;

-- grain: one row per sampled pair, as in ml.training_pairs
create or replace temporary view reference_training_pairs as
select * exclude (is_sampled)
from reference_pairs
where is_sampled;

-- grain: one row per candidate pair, as in ml.scoring_pairs
create or replace temporary view reference_scoring_pairs as
select * exclude (is_sampled, label, weight, is_viewed)
from reference_pairs
where not is_sampled;
