-- grain: one row per group of features left out, in the latest ablation
with latest as (
    select
        run_id,
        model_name
    from ml.ablation
    order by finished_at desc, run_id desc, model_name asc
    limit 1
)

select
    ablation.model_name,
    ablation.feature_group,
    ablation.n_features,
    ablation.difference,
    ablation.low,
    ablation.high,
    ablation.first_judged_cutoff,
    ablation.last_judged_cutoff
from ml.ablation as ablation
inner join latest
    on
        ablation.run_id = latest.run_id
        and ablation.model_name = latest.model_name
where ablation.metric = 'map_at_10' and ablation.variant = 'without'
order by ablation.difference, ablation.feature_group
