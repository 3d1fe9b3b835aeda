"""Time the ranking of one user's candidates with a loaded model."""

from __future__ import annotations

import time

import numpy as np

from ml.models.base import Predictor
from ml.pairs import Candidates, FeatureContract, stream_candidates
from ml.warehouse import Warehouse

N_USERS = 200


def ranking_latency_ms(
    warehouse: Warehouse,
    contract: FeatureContract,
    candidates: Candidates,
    models: list[Predictor],
) -> dict[str, tuple[float, float]]:
    """Return median and 95th percentile per model, in milliseconds.

    Features are in memory: what is timed is prediction and sorting, one user at a time.
    """
    chosen = candidates.user_ids[
        np.linspace(0, len(candidates.user_ids) - 1, N_USERS).astype(int)
    ]
    chosen = np.unique(chosen)
    batches = list(stream_candidates(warehouse, contract, candidates, chosen))
    latency = {}
    for model in models:
        seconds = []
        for rows, _, features in batches:
            for row in np.unique(rows):
                one_user = features.take(rows == row)
                started = time.perf_counter()
                np.argsort(-model.predict(one_user), kind="stable")
                seconds.append(time.perf_counter() - started)
        p50, p95 = np.quantile(np.array(seconds) * 1000, [0.5, 0.95])
        latency[model.name] = (float(p50), float(p95))
    return latency
