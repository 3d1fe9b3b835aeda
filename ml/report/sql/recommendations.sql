-- grain: one row per example user and rank, the best five of three users
with lists as (
    select *
    from reporting.recommendations
    qualify cutoff_date = max(cutoff_date) over ()
),

listed_users as (
    select distinct
        cutoff_date,
        user_hash
    from lists
),

history as (
    select
        users.user_id,
        users.user_hash,
        users.sex,
        users.age_band,
        users.prefecture_en,
        users.prefecture_ko,
        known.n_user_purchases,
        case
            when known.n_user_purchases = 0 then 0
            when known.n_user_purchases < 10 then 1
            else 2
        end as band
    from core.dim_users as users
    inner join features.feature_users as known
        on users.user_id = known.user_id
    inner join listed_users
        on
            users.user_hash = listed_users.user_hash
            and known.cutoff_date = listed_users.cutoff_date
),

examples as (
    select *
    from history
    qualify row_number() over (partition by band order by user_hash) = 1
)

select
    lists.cutoff_date,
    examples.user_hash,
    examples.sex,
    examples.age_band,
    examples.prefecture_en,
    examples.prefecture_ko,
    examples.n_user_purchases,
    lists.rank,
    coupons.genre_en,
    coupons.genre_ko,
    coupons.prefecture_en as coupon_prefecture_en,
    coupons.prefecture_ko as coupon_prefecture_ko,
    coupons.discount_price_yen,
    coupons.discount_rate_percent,
    lists.score,
    lists.reasons
from examples
inner join lists
    on examples.user_hash = lists.user_hash
inner join core.dim_coupons as coupons
    on lists.coupon_hash = coupons.coupon_hash
where lists.rank <= 5
order by examples.band, lists.rank
