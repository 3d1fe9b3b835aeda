"""Fit models on earlier weeks, score a later one, measure what they are worth."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ml import metrics
from ml.chosen import parameters_text
from ml.evaluate import Metric, PerUser, evaluate, read_context
from ml.grid import ScoredGrid, joined, score_grid
from ml.latency import ranking_latency_ms
from ml.mart_values import WeekValues
from ml.models import MODELS, build
from ml.models.base import Predictor
from ml.models.blend import Blend
from ml.models.sampling import thin_negatives
from ml.pairs import (
    FeatureContract,
    TrainingSet,
    has_views,
    read_candidates,
    read_contract,
    read_evaluated_users,
    read_labels,
    read_training_set,
)
from ml.progress import step
from ml.warehouse import SPARK, Warehouse

if TYPE_CHECKING:
    from ml.spark.scores import SparkScores

#: Training pairs on which the threshold of the confusion matrix is chosen.
THRESHOLD_ROWS = 300_000
#: Latency where none was measured: on Spark, where no user's features are at hand.
NOT_TIMED = (None, None)


@dataclass(frozen=True)
class Fitted:
    """Models, and what is kept of the pairs that they were fitted on.

    Attributes
    ----------
    averages : ndarray, shape (number of numeric features,)
        Mean of each numeric feature over the training pairs, nulls left out.
    last_week
        What all features were in the last of the weeks; None if that is not known.
    n_threshold_pairs
        Training pairs that the thresholds were chosen on.
    thresholds
        Per model the probability that parts bought from not bought best (F1).
    """

    models: dict[str, Predictor]
    fit_seconds: dict[str, float]
    thresholds: dict[str, float]
    contract: FeatureContract
    weeks: list[dt.date]
    n_pairs: int
    averages: np.ndarray
    last_week: WeekValues | None = None
    n_threshold_pairs: int = 0

    @property
    def in_order(self) -> list[Predictor]:
        """The models, a blend after its members."""
        return list(self.models.values())

    def with_others(self, others: Fitted) -> Fitted:
        """Return these models and others, fitted on other features of the same pairs.

        Averages and contract stay those of these models.
        """
        return replace(
            self,
            models=self.models | others.models,
            fit_seconds=self.fit_seconds | others.fit_seconds,
            thresholds=self.thresholds | others.thresholds,
        )

    def by_contract(self) -> list[tuple[FeatureContract, list[Predictor]]]:
        """Return the models, in order, with those that read the same pairs together."""
        groups: list[tuple[FeatureContract, list[Predictor]]] = []
        for model in self.in_order:
            of_same = [models for known, models in groups if known == model.contract_]
            if of_same:
                of_same[0].append(model)
            else:
                groups.append((model.contract_, [model]))
        return groups


@dataclass(frozen=True)
class Evaluation:
    """Models measured on a week that followed those they were fitted on.

    Attributes
    ----------
    per_user
        Average precision of each user of user_list, per model.
    model_rows
        Per model what ``ml.model_runs`` keeps of its settings, time and speed.
    """

    cutoff: dt.date
    metrics: list[Metric]
    per_user: PerUser
    model_rows: list[dict]


def possible_models(warehouse: Warehouse) -> list[str]:
    """Return the models that can be fitted on these data, and say which cannot."""
    without = [name for name, model in MODELS.items() if model.needs_views]
    if has_views(warehouse):
        without = []
    for name in without:
        print(f"  {name} is left out: the data have no visit log", file=sys.stderr)
    return [name for name in MODELS if name not in without]


def fit_models(
    warehouse: Warehouse,
    weeks: Sequence[dt.date],
    parameters: Mapping[str, dict],
    random_state: int,
    with_thresholds: bool = True,
) -> Fitted:
    """Fit the named models on the sampled pairs of some weeks.

    Parameters
    ----------
    parameters
        Hyper-parameters by model, a blend after its members.
    """
    with step(f"reading training pairs of {len(weeks)} weeks"):
        contract = read_contract(warehouse, weeks)
        training = read_training_set(warehouse, contract, weeks)
    models = {
        name: build(name, chosen, random_state) for name, chosen in parameters.items()
    }
    return fit_on(training, models, random_state, with_thresholds)


def fit_on(
    training: TrainingSet,
    models: Mapping[str, Predictor],
    random_state: int,
    with_thresholds: bool = True,
) -> Fitted:
    """Fit models on pairs that are at hand.

    Parameters
    ----------
    models
        By name, a blend after its members.
    """
    seconds: dict[str, float] = {}
    for name, model in models.items():
        adopted: list[str] = []
        if isinstance(model, Blend):
            model.adopt({fitted: models[fitted] for fitted in seconds})
            adopted = list(model.members_)
        with step(f"fitting {name} on {len(training):,} pairs") as timed:
            model.fit(training)
        seconds[name] = timed.seconds + sum(seconds[member] for member in adopted)
    thresholds, n_threshold_pairs = {}, 0
    if with_thresholds:
        with step("choosing thresholds"):
            thresholds, n_threshold_pairs = _thresholds(models, training, random_state)
    return Fitted(
        dict(models),
        seconds,
        thresholds,
        training.features.contract,
        [week.item() for week in np.unique(training.cutoff)],
        len(training),
        np.array([_average(values) for values in training.features.numeric.T]),
        WeekValues.of_last_week(training),
        n_threshold_pairs,
    )


def score(
    warehouse: Warehouse,
    fitted: Fitted,
    cutoff: dt.date,
    only_evaluated: bool = False,
) -> ScoredGrid | SparkScores:
    """Score every pair of the cutoff with every fitted model.

    Parameters
    ----------
    only_evaluated
        Whether nothing but an evaluation is to follow, so that users who are not in
        its sample need no score.
    """
    candidates = read_candidates(warehouse, cutoff)
    with step(f"scoring {candidates.n_pairs:,} pairs of {cutoff}"):
        if warehouse.engine == SPARK:
            from ml.spark.scores import score_pairs

            sample = read_evaluated_users(warehouse)
            return score_pairs(
                *(warehouse, fitted.contract, candidates, fitted.in_order),
                *(sample, only_evaluated),
            )
        return joined(
            [
                score_grid(warehouse, contract, candidates, models)
                for contract, models in fitted.by_contract()
            ]
        )


def measure(
    warehouse: Warehouse,
    fitted: Fitted,
    grid: ScoredGrid,
    reference: str,
    random_state: int,
) -> Evaluation:
    """Compare the scores with what was bought in the week.

    Parameters
    ----------
    reference
        The model that the others are subtracted from.
    """
    with step("evaluating"):
        measured, per_user = evaluate(
            grid,
            read_labels(warehouse, grid.candidates),
            read_context(warehouse, grid),
            fitted.thresholds,
            reference,
            random_state,
        )
        latency = {}
        if warehouse.engine != SPARK:
            for contract, models in fitted.by_contract():
                latency |= ranking_latency_ms(
                    warehouse, contract, grid.candidates, models
                )
    measured += [
        Metric(name, "threshold_pairs", "sample", fitted.n_threshold_pairs)
        for name in fitted.thresholds
    ]
    rows = [
        model_row(fitted, name)
        | {
            "n_evaluated_pairs": grid.n_pairs,
            "predict_seconds": grid.predict_seconds[name],
            "pairs_per_second": grid.pairs_per_second(name),
            "latency_p50_ms": latency.get(name, NOT_TIMED)[0],
            "latency_p95_ms": latency.get(name, NOT_TIMED)[1],
        }
        for name in fitted.models
    ]
    return Evaluation(grid.candidates.cutoff, measured, per_user, rows)


def model_row(fitted: Fitted, name: str) -> dict:
    """Return what ``ml.model_runs`` keeps of a model, not yet measured."""
    return {
        "model_name": name,
        "parameters": parameters_text(fitted.models[name].parameters()),
        "n_training_pairs": fitted.n_pairs,
        "fit_seconds": fitted.fit_seconds[name],
        "first_training_cutoff": min(fitted.weeks),
        "last_training_cutoff": max(fitted.weeks),
        "n_evaluated_pairs": 0,
        "predict_seconds": 0.0,
        "pairs_per_second": None,
        "latency_p50_ms": None,
        "latency_p95_ms": None,
    }


def _thresholds(
    models: Mapping[str, Predictor], training: TrainingSet, random_state: int
) -> tuple[dict[str, float], int]:
    """Return each model's threshold, and on how many pairs they were chosen."""
    everything = np.ones(len(training), dtype=bool)
    rows, weight = thin_negatives(training, everything, THRESHOLD_ROWS, random_state)
    pairs = training.take(rows)
    chosen = {
        name: metrics.best_f1_threshold(
            model.predict_in_chunks(pairs.features), pairs.label, weight
        )
        for name, model in models.items()
    }
    return chosen, len(pairs)


def _average(values: np.ndarray) -> float:
    """Return the mean of the values that are known, NaN if there is none."""
    known = values[~np.isnan(values)]
    return known.mean(dtype=np.float64) if len(known) else float("nan")
