"""Score the full grid of one cutoff with several models in one pass over the mart."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ml.models import PurchaseModel
from ml.models.blend import Blend
from ml.pairs import Candidates, FeatureContract, Features, stream_candidates
from ml.progress import note
from ml.warehouse import Warehouse

#: Pairs between two notes of progress.
NOTE_EVERY = 2_000_000


@dataclass
class ScoredGrid:
    """Probabilities of every candidate pair of one cutoff, per model.

    Attributes
    ----------
    scores : dict of ndarray of float32, shape (n_users, n_coupons)
    predict_seconds : dict of float
        Time spent in each model's ``predict``, without reading the mart.
    """

    candidates: Candidates
    scores: dict[str, np.ndarray]
    predict_seconds: dict[str, float] = field(default_factory=dict)

    @property
    def n_pairs(self) -> int:
        """Number of scored pairs."""
        return self.candidates.n_pairs


def score_grid(
    warehouse: Warehouse,
    contract: FeatureContract,
    candidates: Candidates,
    models: Sequence[PurchaseModel],
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
    for rows, columns, features in stream_candidates(
        warehouse, contract, candidates, users
    ):
        if n_pairs // NOTE_EVERY < (n_pairs + len(features)) // NOTE_EVERY:
            note(f"{(n_pairs + len(features)) / candidates.n_pairs:.0%}")
        n_pairs += len(features)
        for name, (predicted, seconds) in _predict(models, features).items():
            grid.scores[name][rows, columns] = predicted
            grid.predict_seconds[name] += seconds
    expected = candidates.n_pairs
    if n_pairs != expected or any(np.isnan(s).any() for s in grid.scores.values()):
        raise RuntimeError(
            f"ml.scoring_pairs holds {n_pairs:,} pairs of {candidates.cutoff}, "
            f"expected {expected:,}: a feature mart has lost or doubled keys."
        )
    return grid


def _predict(
    models: Sequence[PurchaseModel], features: Features
) -> dict[str, tuple[np.ndarray, float]]:
    """Return each model's probabilities and seconds; a blend takes over its members'.

    The seconds of a blend are those of its members and its own.
    """
    done: dict[str, tuple[np.ndarray, float]] = {}
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


def _members(model: PurchaseModel) -> list[PurchaseModel]:
    return list(model.members_.values()) if isinstance(model, Blend) else []
