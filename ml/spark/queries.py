"""Queries on scored pairs, in DuckDB's SQL: the door translates them for Spark.

``scored_pairs`` has user_id, coupon_id and score, ``ranked_pairs`` what RANKED_PAIRS
returns, ``explained_pairs`` user_id, coupon_id and reasons.
"""

from __future__ import annotations

from ml import metrics
from ml.publish import KEPT_RANKS

#: The rule of all rankings: the higher score first, of equal ones the lower hash.
RANKED_PAIRS = """
    select
        pairs.user_id,
        pairs.coupon_id,
        users.user_hash,
        coupons.coupon_hash,
        cast(pairs.score as double) as score,
        cast(row_number() over (
            partition by pairs.user_id
            order by pairs.score desc, coupons.coupon_hash asc
        ) as integer) as rank
    from scored_pairs as pairs
    inner join core.dim_users as users on pairs.user_id = users.user_id
    inner join core.dim_coupons as coupons on pairs.coupon_id = coupons.coupon_id
"""

TOP_PAIRS = f"""
    select user_id, coupon_id from ranked_pairs where rank <= {metrics.TOP_K}
"""

#: Runs on the data of now; what was scored on others is never shown again.
_RUNS = "select run_id from ml.model_runs where data_fingerprint = ?"

#: All of the new table. Parameters: cutoff, model, run, time as text, fingerprint,
#: cutoff.
NEW_SCORES = f"""
    with scores as (
        select
            cast(? as date) as cutoff_date,
            user_hash,
            coupon_hash,
            score,
            rank,
            cast(? as varchar) as model_name,
            cast(? as varchar) as run_id,
            cast(? as timestamp) as scored_at
        from ranked_pairs
        union all
        select
            cutoff_date, user_hash, coupon_hash, score, rank, model_name, run_id,
            scored_at
        from ml.purchase_scores
        where run_id in ({_RUNS}) and cutoff_date != cast(? as date)
    )

    select *
    from scores
    where
        rank <= {KEPT_RANKS}
        or cutoff_date = (select max(cutoff_date) from scores)
"""

#: All of the new table. Parameters: cutoff, run, fingerprint, cutoff.
NEW_REASONS = f"""
    select
        cast(? as date) as cutoff_date,
        users.user_hash,
        coupons.coupon_hash,
        cast(? as varchar) as run_id,
        pairs.reasons
    from explained_pairs as pairs
    inner join core.dim_users as users on pairs.user_id = users.user_id
    inner join core.dim_coupons as coupons on pairs.coupon_id = coupons.coupon_id
    union all
    select cutoff_date, user_hash, coupon_hash, run_id, reasons
    from ml.score_reasons
    where run_id in ({_RUNS}) and cutoff_date != cast(? as date)
"""
