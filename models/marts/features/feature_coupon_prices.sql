-- grain: one row per cutoff and coupon whose sale starts in its target week
{%- set rivals = 'partition by cutoff_date, genre, large_area' %}

with candidates as (
    select
        *,
        rank() over ({{ rivals }} order by discount_price_yen) - 1 as n_cheaper,
        row_number() over (
            {{ rivals }} order by discount_price_yen, coupon_id
        ) as place,
        count(*) over ({{ rivals }}) as n_alike,
        count(*) over (partition by cutoff_date, genre, prefecture)
            as n_alike_prefecture,
        count(*) over (partition by cutoff_date, genre) as n_alike_genre,
        count(*) over (partition by cutoff_date, shop_key_id) as n_alike_shop
    from {{ ref('feature_coupons') }}
),

price_levels as (
    select * from {{ ref('int_price_levels_before_cutoff') }}
),

-- the median is the price in the middle, or the mean of the two there
with_median as (
    select
        *,
        avg(
            case
                when 2 * place between n_alike and n_alike + 2
                    then discount_price_yen
            end
        ) over ({{ rivals }}) as median_price_yen
    from candidates
),

price_features as (
    select
        candidates.cutoff_date,
        candidates.coupon_id,
        ln(1 + candidates.discount_price_yen) as log_price,
        ln(1 + candidates.saving_yen) as log_saving,
        (ln(1 + candidates.discount_price_yen) - price_levels.mean_log_price)
        / nullif(price_levels.log_price_deviation, 0) as genre_price_z_score,
        cast(candidates.n_cheaper + 1 as integer) as area_price_rank,
        candidates.n_cheaper
        / cast(nullif(candidates.n_alike - 1, 0) as {{ sql_type('double') }})
            as cheaper_rivals_share,
        candidates.discount_price_yen / nullif(candidates.median_price_yen, 0)
            as price_to_area_median_ratio,
        cast(candidates.n_alike - 1 as integer) as n_area_rivals,
        cast(candidates.n_alike_prefecture - 1 as integer) as n_prefecture_rivals,
        cast(candidates.n_alike_genre - 1 as integer) as n_genre_rivals,
        cast(candidates.n_alike_shop as integer) as n_shop_candidates
    from with_median as candidates
    inner join price_levels
        on
            candidates.cutoff_date = price_levels.cutoff_date
            and candidates.genre = price_levels.genre
)

select * from price_features
