"""Score the full grid of one cutoff with several models in one pass over the mart."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
from threadpoolctl import threadpool_limits

from ml.models.base import Predictor
from ml.models.blend import Blend
from ml.pairs import Candidates, FeatureContract, Features, stream_candidates
from ml.progress import note
from ml.warehouse import Warehouse

#: Pairs between two notes of progress.
NOTE_EVERY = 2_000_000
#: Batches that are scored at the same time, each by one thread. A pair's score does not
#: depend on its batch, so neither do the scores depend on this.
N_WORKERS = 2
#: Small enough that a few of them, encoded, take little memory.
BATCH_ROWS = 16_384

Batch = tuple[np.ndarray, np.ndarray, Features]
Predictions = dict[str, tuple[np.ndarray, float]]


@dataclass
class ScoredGrid:
    """Probabilities of every candidate pair of one cutoff, per model.

    Attributes
    ----------
    scores : dict of ndarray of float32, shape (n_users, n_coupons)
    predict_seconds : dict of float
        Time that each model's ``predict`` took of the pass, ``N_WORKERS`` batches at a
        time, without reading the mart; on Spark the sum over its workers.
    sample : ndarray of int32
        The users of user_list that were chosen to be evaluated, candidates or not, and
        to whom this grid is cut down; None if it holds everyone.
    n_timed : int
        Pairs that were scored in these seconds; None if they are those of the grid.
    """

    candidates: Candidates
    scores: dict[str, np.ndarray]
    predict_seconds: dict[str, float] = field(default_factory=dict)
    sample: np.ndarray | None = None
    n_timed: int | None = None

    @property
    def n_pairs(self) -> int:
        """Number of scored pairs."""
        return self.candidates.n_pairs

    def evaluated(self) -> ScoredGrid:
        """Return the scores that are evaluated: all of them, for they are here."""
        return self

    def pairs_per_second(self, model_name: str) -> float:
        """Return how many pairs a model scored per second."""
        return (self.n_timed or self.n_pairs) / self.predict_seconds[model_name]


def score_grid(
    warehouse: Warehouse,
    contract: FeatureContract,
    candidates: Candidates,
    models: Sequence[Predictor],
    users: np.ndarray | None = None,
) -> ScoredGrid:
    """Score all pairs of a cutoff, or those of some of its users.

    Raises
    ------
    RuntimeError
        The mart does not hold every pair of the grid exactly once.
    """
    if users is not None:
        candidates = Candidates(candidates.cutoff, users, candidates.coupon_ids)
    grid = ScoredGrid(
        candidates,
        {m.name: np.full(candidates.shape, np.nan, np.float32) for m in models},
        {model.name: 0.0 for model in models},
    )
    n_pairs = 0
    batches = stream_candidates(warehouse, contract, candidates, users, BATCH_ROWS)
    for rows, columns, predictions in _predict_batches(models, batches):
        done = n_pairs + len(rows)
        if n_pairs // NOTE_EVERY < done // NOTE_EVERY:
            note(f"{done / candidates.n_pairs:.0%}")
        n_pairs = done
        for name, (predicted, seconds) in predictions.items():
            grid.scores[name][rows, columns] = predicted
            grid.predict_seconds[name] += seconds / N_WORKERS
    expected = candidates.n_pairs
    if n_pairs != expected or any(np.isnan(s).any() for s in grid.scores.values()):
        raise RuntimeError(
            f"{contract.scoring_mart} holds {n_pairs:,} pairs of {candidates.cutoff}, "
            f"expected {expected:,}: a feature mart has lost or doubled keys."
        )
    return grid


def joined(grids: Sequence[ScoredGrid]) -> ScoredGrid:
    """Return the scores of several grids of the same pairs as one."""
    return replace(
        grids[0],
        scores={name: of for grid in grids for name, of in grid.scores.items()},
        predict_seconds={
            name: of for grid in grids for name, of in grid.predict_seconds.items()
        },
    )


def _predict_batches(
    models: Sequence[Predictor], batches: Iterator[Batch]
) -> Iterator[tuple[np.ndarray, np.ndarray, Predictions]]:
    """Yield rows, columns and predictions of every batch, in their order.

    While some batches are scored, the next one is read.
    """
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(N_WORKERS) as pool:

        def begin(batch: Batch) -> tuple[np.ndarray, np.ndarray, Future]:
            return *batch[:2], pool.submit(predict_all, models, batch[2])

        begun = [begin(batch) for batch in islice(batches, N_WORKERS)]
        while begun:
            begun += [begin(batch) for batch in islice(batches, 1)]
            rows, columns, predictions = begun.pop(0)
            yield rows, columns, predictions.result()


def predict_all(models: Sequence[Predictor], features: Features) -> Predictions:
    """Return each model's probabilities and seconds; a blend takes over its members'.

    The seconds of a blend are those of its members and its own.
    """
    done: Predictions = {}
    # by the model and not by its name: settings may differ
    by_model: dict[int, tuple[np.ndarray, float]] = {}
    for model in models:
        started = time.perf_counter()
        of_members = 0.0
        known = [by_model.get(id(member)) for member in _members(model)]
        if known and all(known):
            of_members = sum(seconds for _, seconds in known)
            predicted = model.combine(
                {
                    member.name: probability
                    for member, (probability, _) in zip(
                        _members(model), known, strict=True
                    )
                }
            )
        else:
            predicted = model.predict(features)
        seconds = time.perf_counter() - started + of_members
        done[model.name] = by_model[id(model)] = (predicted, seconds)
    return done


def _members(model: Predictor) -> list[Predictor]:
    return list(model.members_.values()) if isinstance(model, Blend) else []
