-- grain: one row per column that has gaps and genre
with marked as (
    select
        genre_en,
        genre_ko,
        unnest([
            'large_area', 'prefecture', 'small_area', 'valid_from_date',
            'valid_until_date', 'valid_days', 'usable_on_monday',
            'usable_on_holiday', 'display_days', 'discount_rate_percent'
        ]) as column_name,
        unnest([
            large_area is null,
            prefecture is null,
            small_area is null,
            valid_from_date is null,
            valid_until_date is null,
            valid_days is null,
            usable_on_monday = 'no_day_rule',
            usable_on_holiday = 'no_day_rule',
            display_days is null,
            discount_rate_percent is null
        ]) as is_missing
    from core.dim_coupons
),

counted as (
    select
        column_name,
        genre_en,
        genre_ko,
        count(*) as n_coupons,
        count(*) filter (where is_missing) as n_missing
    from marked
    group by column_name, genre_en, genre_ko
)

select
    *,
    n_missing / n_coupons as missing_share
from counted
qualify sum(n_missing) over (partition by column_name) > 0
order by column_name, genre_en
