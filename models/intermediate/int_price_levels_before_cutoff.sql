-- grain: one row per cutoff and genre of any coupon
{%- set min_coupons = var('price_reference_min_coupons') %}

with cutoffs as (
    select * from {{ ref('int_cutoffs_to_build') }}
),

coupons as (
    select
        *,
        -- a whole number, so that sums do not depend on the order of rows
        cast(round(1000 * ln(1 + discount_price_yen)) as bigint) as log_price
    from {{ ref('dim_coupons') }}
),

by_genre as (
    select
        cutoffs.cutoff_date,
        coupons.genre,
        count(*) as n_coupons,
        sum(coupons.log_price) as log_price_sum,
        sum(coupons.log_price * coupons.log_price) as log_price_square_sum
    from cutoffs
    inner join coupons
        on
            cutoffs.cutoff_at > coupons.sale_start_at
            and {{ dbt.dateadd('day', -91, 'cutoffs.cutoff_at') }}
            <= coupons.sale_start_at
    group by cutoffs.cutoff_date, coupons.genre
),

overall as (
    select
        cutoff_date,
        sum(n_coupons) as n_coupons,
        sum(log_price_sum) as log_price_sum,
        sum(log_price_square_sum) as log_price_square_sum
    from by_genre
    group by cutoff_date
),

genres as (
    select distinct genre from coupons
),

-- the genre's own prices if they are enough, else those of all genres
chosen as (
    select
        cutoffs.cutoff_date,
        genres.genre,
        {% for column in ['n_coupons', 'log_price_sum', 'log_price_square_sum'] -%}
        case
            when by_genre.n_coupons >= {{ min_coupons }} then by_genre.{{ column }}
            else overall.{{ column }}
        end as {{ column }},
        {% endfor -%}
        coalesce(by_genre.n_coupons >= {{ min_coupons }}, false) as is_own_genre
    from cutoffs
    cross join genres
    left join overall on cutoffs.cutoff_date = overall.cutoff_date
    left join by_genre
        on
            cutoffs.cutoff_date = by_genre.cutoff_date
            and genres.genre = by_genre.genre
),

price_levels as (
    select
        cutoff_date,
        genre,
        is_own_genre,
        cast(coalesce(n_coupons, 0) as integer) as n_coupons,
        log_price_sum
        / cast(1000 * n_coupons as {{ sql_type('double') }}) as mean_log_price,
        -- subtracted as whole numbers: equal prices deviate by 0 and nothing else
        sqrt(cast(
            n_coupons * log_price_square_sum - log_price_sum * log_price_sum
            as {{ sql_type('double') }}
        )) / (1000 * n_coupons) as log_price_deviation
    from chosen
)

select * from price_levels
