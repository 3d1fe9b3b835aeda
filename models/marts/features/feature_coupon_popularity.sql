-- grain: one row per cutoff and coupon whose sale starts in its target week
{%- set prior_days = var('popularity_prior_days') %}

with candidates as (
    select * from {{ ref('feature_coupons') }}
),

sales as (
    select * from {{ ref('int_coupon_sales_before_cutoff') }}
),

by_genre as (
    select
        cutoff_date,
        genre,
        sum(n_buyers) as n_buyers,
        sum(seconds_on_sale) as seconds_on_sale
    from sales
    group by cutoff_date, genre
),

by_shop as (
    select
        cutoff_date,
        shop_key_id,
        count(*) as n_issues,
        count(*) filter (where is_still_on_sale) as n_issues_on_sale,
        sum(n_buyers) as n_buyers,
        sum(seconds_on_sale) as seconds_on_sale,
        max(sale_start_at) as last_sale_start_at
    from sales
    group by cutoff_date, shop_key_id
),

joined as (
    select
        candidates.cutoff_date,
        candidates.coupon_id,
        candidates.sale_hours_in_week / 24 as sale_days_in_week,
        cast(86400 as double) * by_genre.n_buyers / nullif(by_genre.seconds_on_sale, 0)
            as genre_buyers_per_day,
        coalesce(by_shop.n_issues, 0) as n_issues,
        coalesce(by_shop.n_issues_on_sale, 0) as n_issues_on_sale,
        coalesce(by_shop.n_buyers, 0) as shop_buyers,
        coalesce(by_shop.seconds_on_sale, 0) / cast(86400 as double) as shop_days,
        {{ dbt.datediff(
            'by_shop.last_sale_start_at', 'candidates.cutoff_date', 'day'
        ) }} as days_since_last_issue
    from candidates
    left join by_genre
        on
            candidates.cutoff_date = by_genre.cutoff_date
            and candidates.genre = by_genre.genre
    left join by_shop
        on
            candidates.cutoff_date = by_shop.cutoff_date
            and candidates.shop_key_id = by_shop.shop_key_id
),

popularity_features as (
    select
        cutoff_date,
        coupon_id,
        cast(n_issues as integer) as n_shop_issues,
        cast(n_issues_on_sale as integer) as n_shop_issues_on_sale,
        cast(days_since_last_issue as integer) as days_since_last_shop_issue,
        case when n_issues > 0 then shop_buyers / cast(n_issues as double) end
            as shop_buyers_per_issue,
        coalesce(genre_buyers_per_day, 0) as genre_buyers_per_day,
        -- the shop's own record, shrunken towards its genre's
        (
            shop_buyers
            + {{ prior_days }} * coalesce(genre_buyers_per_day, 0)
        ) / (shop_days + {{ prior_days }}) as coupon_buyers_per_day,
        sale_days_in_week * (
            shop_buyers
            + {{ prior_days }} * coalesce(genre_buyers_per_day, 0)
        ) / (shop_days + {{ prior_days }}) as expected_buyers
    from joined
)

select * from popularity_features
