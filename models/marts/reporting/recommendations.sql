-- grain: one row per scored cutoff, candidate user and rank from 1 to 10
with runs as (
    select
        runs.run_id,
        runs.model_name
    from {{ ref('model_runs') }} as runs
    -- scores of other data are never shown
    inner join {{ ref('data_fingerprint') }} as current_data
        on runs.data_fingerprint = current_data.data_fingerprint
    where runs.is_default
),

recommendations as (
    select
        scores.cutoff_date,
        scores.user_hash,
        scores.coupon_hash,
        scores.rank,
        scores.score,
        scores.model_name,
        scores.run_id,
        reasons.reasons
    from {{ ref('purchase_scores') }} as scores
    inner join runs
        on
            scores.run_id = runs.run_id
            and scores.model_name = runs.model_name
    left join {{ ref('score_reasons') }} as reasons
        on
            scores.run_id = reasons.run_id
            and scores.cutoff_date = reasons.cutoff_date
            and scores.user_hash = reasons.user_hash
            and scores.coupon_hash = reasons.coupon_hash
    where scores.rank <= 10
)

select * from recommendations
