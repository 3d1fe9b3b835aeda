"""Fit models on earlier weeks, measure them on a later one, score with the best."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ml import metrics
from ml.evaluate import Metric, evaluate, read_context
from ml.grid import ScoredGrid, score_grid
from ml.latency import ranking_latency_ms
from ml.models import PurchaseModel, build
from ml.pairs import (
    Candidates,
    TrainingSet,
    read_candidates,
    read_contract,
    read_labels,
    read_training_set,
)
from ml.progress import step
from ml.search import SearchResult, parameters_text
from ml.warehouse import Warehouse


@dataclass
class Evaluation:
    """Every model, fitted on earlier weeks and measured on one that followed.

    Attributes
    ----------
    model_rows
        Per model what ``ml.model_runs`` keeps of its settings, time and speed.
    """

    cutoff: dt.date
    models: dict[str, PurchaseModel]
    training: TrainingSet | None
    grid: ScoredGrid | None
    metrics: list[Metric]
    model_rows: list[dict]

    def release(self) -> None:
        """Let go of the training pairs and of the scores."""
        self.training = self.grid = None


@dataclass(frozen=True)
class Scoring:
    """A fitted model and its probabilities for every pair of a cutoff."""

    model: PurchaseModel
    training: TrainingSet
    candidates: Candidates
    scores: np.ndarray
    fit_seconds: float

    def ranks(self) -> np.ndarray:
        """Return the place of each coupon in its user's list, 1 is best."""
        order = np.argsort(-self.scores, axis=1, kind="stable")
        ranks = np.empty(self.scores.shape, dtype=np.int32)
        places = np.arange(1, self.scores.shape[1] + 1, dtype=np.int32)
        np.put_along_axis(ranks, order, places[None, :], axis=1)
        return ranks


def measure_models(
    warehouse: Warehouse,
    weeks: Sequence[dt.date],
    cutoff: dt.date,
    found: SearchResult,
    random_state: int,
) -> Evaluation:
    """Fit every model on the weeks and measure all of them on the cutoff."""
    training = _read_training(warehouse, weeks)
    contract = training.features.contract
    models: dict[str, PurchaseModel] = {}
    fit_seconds: dict[str, float] = {}
    thresholds: dict[str, float] = {}
    for name, parameters in found.best_parameters.items():
        model, fit_seconds[name] = _fit(name, parameters, random_state, training)
        thresholds[name] = metrics.best_f1_threshold(
            model.predict_in_chunks(training.features), training.label, training.weight
        )
        models[name] = model
    fitted = list(models.values())
    grid = _score(warehouse, training, cutoff, fitted)
    with step("evaluating"):
        measured = evaluate(
            grid,
            read_labels(warehouse, grid.candidates),
            read_context(warehouse, grid),
            thresholds,
            found.best_model,
            random_state,
        )
        latency = ranking_latency_ms(warehouse, contract, grid.candidates, fitted)
    n_pairs = grid.n_pairs
    rows = [
        {
            "model_name": name,
            "parameters": parameters_text(model.parameters()),
            "n_training_pairs": len(training),
            "fit_seconds": fit_seconds[name],
            "n_evaluated_pairs": n_pairs,
            "predict_seconds": grid.predict_seconds[name],
            "pairs_per_second": n_pairs / grid.predict_seconds[name],
            "latency_p50_ms": latency[name][0],
            "latency_p95_ms": latency[name][1],
        }
        for name, model in models.items()
    ]
    return Evaluation(cutoff, models, training, grid, measured, rows)


def score_cutoff(
    warehouse: Warehouse,
    weeks: Sequence[dt.date],
    cutoff: dt.date,
    found: SearchResult,
    random_state: int,
) -> Scoring:
    """Fit the best model on the weeks and score every pair of the cutoff."""
    training = _read_training(warehouse, weeks)
    name = found.best_model
    model, seconds = _fit(name, found.best_parameters[name], random_state, training)
    grid = _score(warehouse, training, cutoff, [model])
    return Scoring(model, training, grid.candidates, grid.scores[name], seconds)


def score_with_every_model(
    warehouse: Warehouse,
    weeks: Sequence[dt.date],
    cutoff: dt.date,
    parameters: Mapping[str, dict],
    random_state: int,
) -> ScoredGrid:
    """Fit the named models on the weeks and score every pair of the cutoff."""
    training = _read_training(warehouse, weeks)
    models = [
        _fit(name, chosen, random_state, training)[0]
        for name, chosen in parameters.items()
    ]
    return _score(warehouse, training, cutoff, models)


def _read_training(warehouse: Warehouse, weeks: Sequence[dt.date]) -> TrainingSet:
    with step(f"reading training pairs of {len(weeks)} weeks"):
        contract = read_contract(warehouse, weeks)
        return read_training_set(warehouse, contract, weeks)


def _fit(
    name: str, parameters: dict, random_state: int, training: TrainingSet
) -> tuple[PurchaseModel, float]:
    with step(f"fitting {name} on {len(training):,} pairs") as timed:
        model = build(name, parameters, random_state).fit(training)
    return model, timed.seconds


def _score(
    warehouse: Warehouse,
    training: TrainingSet,
    cutoff: dt.date,
    models: Sequence[PurchaseModel],
) -> ScoredGrid:
    candidates = read_candidates(warehouse, cutoff)
    with step(f"scoring {candidates.n_pairs:,} pairs of {cutoff}"):
        return score_grid(warehouse, training.features.contract, candidates, models)
