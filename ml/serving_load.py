"""Ask for one person's list again and again, as several clients do at a time."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ml.answers import LoadedModel, published
from ml.pairs import read_candidates
from ml.warehouse import Warehouse

TABLE, MODEL = "table", "loaded model"
CLIENTS = (1, 2, 8)
SECONDS = 10.0
#: Queries before the clock starts, which fill caches.
N_WARM = 5

#: Answers one user's list; the warehouse is the client's own connection.
Door = Callable[[Warehouse, int], object]


@dataclass(frozen=True)
class Load:
    """What clients of one door had to wait.

    Attributes
    ----------
    n_clients
        Clients that each ask again as soon as they are answered.
    p50_ms, p95_ms, p99_ms
        Quantiles of the time from question to answer.
    """

    door: str
    n_clients: int
    n_queries: int
    queries_per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


def measure_serving(
    warehouse: Warehouse,
    cutoff: dt.date,
    clients: Sequence[int] = CLIENTS,
    seconds: float = SECONDS,
) -> list[Load]:
    """Return what it takes to answer from the published table and from the model.

    Parameters
    ----------
    cutoff
        A week that is published and that the champion may score.
    seconds
        Time for which each number of clients asks at each door.
    """
    user_ids = read_candidates(warehouse, cutoff).user_ids.tolist()
    model = LoadedModel(warehouse, cutoff)
    doors: dict[str, Door] = {
        TABLE: lambda connection, user_id: published(connection, user_id, cutoff),
        MODEL: model.answer,
    }
    return [
        measure_door(warehouse, name, door, user_ids, n, seconds)
        for name, door in doors.items()
        for n in clients
    ]


def measure_door(
    warehouse: Warehouse,
    name: str,
    door: Door,
    user_ids: Sequence[int],
    n_clients: int,
    seconds: float,
) -> Load:
    """Let clients ask one door for lists of users drawn at random."""
    for user_id in user_ids[:N_WARM]:
        door(warehouse, user_id)
    started = time.perf_counter()

    def ask(client: int) -> list[float]:
        connection = Warehouse(warehouse.connection.cursor())
        generator = np.random.default_rng(client)
        waits = []
        while not waits or time.perf_counter() < started + seconds:
            user_id = user_ids[generator.integers(len(user_ids))]
            asked = time.perf_counter()
            if door(connection, user_id) is None:
                raise RuntimeError(f"the {name} has no list for user {user_id}")
            waits.append(time.perf_counter() - asked)
        return waits

    with ThreadPoolExecutor(n_clients) as pool:
        waits = np.concatenate(list(pool.map(ask, range(n_clients))))
    elapsed = time.perf_counter() - started
    p50, p95, p99 = np.quantile(waits * 1000, [0.5, 0.95, 0.99])
    return Load(
        name,
        n_clients,
        len(waits),
        len(waits) / elapsed,
        float(p50),
        float(p95),
        float(p99),
    )
