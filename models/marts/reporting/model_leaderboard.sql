-- grain: one row per evaluated cutoff and model, from the latest run on current data
with runs as (
    select
        runs.*,
        row_number() over (
            partition by runs.evaluated_cutoff_date, runs.model_name
            order by runs.finished_at desc, runs.run_id desc
        ) as recency
    from {{ ref('model_runs') }} as runs
    inner join {{ ref('data_fingerprint') }} as current_data
        on runs.data_fingerprint = current_data.data_fingerprint
    where runs.evaluated_cutoff_date is not null
),

wide as (
    select
        run_id,
        model_name,
        {% for name, metric, slice in [
            ('map_at_10', 'map_at_10', 'all'),
            ('map_at_10_buyers', 'map_at_10', 'buyers'),
            ('recall_at_10', 'recall_at_10', 'buyers'),
            ('auc', 'auc', 'all'),
            ('pr_auc', 'pr_auc', 'all'),
            ('log_loss', 'log_loss', 'all'),
        ] -%}
        max(case
            when metric = '{{ metric }}' and slice = '{{ slice }}' then value
        end) as {{ name }},
        {% endfor -%}
        max(case when metric = 'map_at_10' and slice = 'all' then low end)
            as map_at_10_low,
        max(case when metric = 'map_at_10' and slice = 'all' then high end)
            as map_at_10_high
    from {{ ref('model_metrics') }}
    group by run_id, model_name
),

leaderboard as (
    select
        runs.evaluated_cutoff_date as cutoff_date,
        runs.model_name,
        runs.is_default,
        wide.map_at_10,
        wide.map_at_10_low,
        wide.map_at_10_high,
        wide.map_at_10_buyers,
        wide.recall_at_10,
        wide.auc,
        wide.pr_auc,
        wide.log_loss,
        runs.fit_seconds,
        runs.pairs_per_second,
        runs.latency_p95_ms,
        runs.run_id
    from runs
    inner join wide
        on
            runs.run_id = wide.run_id
            and runs.model_name = wide.model_name
    where runs.recency = 1
)

select * from leaderboard
