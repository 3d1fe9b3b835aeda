-- grain: one row per evaluated cutoff
with runs as (
    select
        runs.evaluated_cutoff_date as cutoff_date,
        runs.run_id,
        runs.model_name,
        row_number() over (
            partition by runs.evaluated_cutoff_date
            order by runs.finished_at desc, runs.run_id desc
        ) as recency
    from {{ ref('model_runs') }} as runs
    inner join {{ ref('data_fingerprint') }} as current_data
        on runs.data_fingerprint = current_data.data_fingerprint
    where
        runs.is_default
        and runs.evaluated_cutoff_date is not null
        -- a backtest tells no misses, nor did runs before there were cards
        and runs.run_id in (
            select cards.run_id from {{ ref('model_cards') }} as cards
        )
),

latest_runs as (
    select
        cutoff_date,
        run_id,
        model_name
    from runs
    where recency = 1
)

select * from latest_runs
