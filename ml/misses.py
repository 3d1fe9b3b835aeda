"""Find where a model was wrong in an evaluated week, and say in words why."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ml import metrics
from ml.explain import explain
from ml.fitting import Fitted
from ml.models import PurchaseModel
from ml.pairs import Candidates
from ml.warehouse import Warehouse

BOUGHT_RANKED_BELOW_TEN = "bought_ranked_below_ten"
RANKED_FIRST_NOT_BOUGHT = "ranked_first_not_bought"


def find_misses(
    candidates: Candidates, scores: np.ndarray, ranks: np.ndarray, labels: np.ndarray
) -> pa.Table:
    """Return purchases ranked below ten, and first ranks that buyers did not buy.

    Users who bought no candidate are left out: whatever stands first in their lists
    is not bought.

    Parameters
    ----------
    scores, ranks, labels : ndarray, shape of the grid
        Rank 1 is best; labels say what was bought in the week.

    Returns
    -------
    pyarrow.Table
        Columns user_id, coupon_id, kind, rank, score; in the order of the grid.
    """
    is_missed = labels & (ranks > metrics.TOP_K)
    is_wrong_first = ~labels & (ranks == 1) & labels.any(axis=1)[:, None]
    users, coupons = np.nonzero(is_missed | is_wrong_first)
    kinds = np.where(
        is_missed[users, coupons], BOUGHT_RANKED_BELOW_TEN, RANKED_FIRST_NOT_BOUGHT
    )
    return pa.table(
        {
            "user_id": candidates.user_ids[users],
            "coupon_id": candidates.coupon_ids[coupons],
            "kind": pa.array(kinds.tolist(), pa.string()),
            "rank": ranks[users, coupons].astype(np.int32),
            "score": scores[users, coupons].astype(np.float64),
        }
    )


def with_reasons(
    warehouse: Warehouse,
    fitted: Fitted,
    model: PurchaseModel,
    candidates: Candidates,
    misses: pa.Table,
) -> pa.Table:
    """Add what spoke for each pair and what spoke against it.

    Returns
    -------
    pyarrow.Table
        The misses with columns reasons and lacking_reasons.
    """
    keys = ["user_id", "coupon_id"]
    if not len(misses):
        none = pa.nulls(0, pa.string())
        return misses.append_column("reasons", none).append_column(
            "lacking_reasons", none
        )
    found = explain(
        warehouse, fitted, model, candidates.cutoff, misses, with_lacking=True
    )
    return misses.join(found, keys=keys)
