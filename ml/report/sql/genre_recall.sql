-- grain: one row per genre bought in the evaluated week
with latest as (
    select
        run_id,
        model_name
    from reporting.latest_training_runs
    order by cutoff_date desc
    limit 1
)

select
    genres.genre_en,
    genres.genre_ko,
    metrics.value,
    metrics.low,
    metrics.high
from ml.model_metrics as metrics
inner join latest
    on
        metrics.run_id = latest.run_id
        and metrics.model_name = latest.model_name
inner join seeds.genres as genres
    on metrics.slice = 'genre_' || genres.genre
where
    metrics.metric = 'purchases_recalled_at_10'
    and metrics.value is not null
order by metrics.value desc, genres.genre_en asc
