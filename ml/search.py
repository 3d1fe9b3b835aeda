"""Search hyper-parameters in time order: fit on earlier weeks, judge on later ones."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import ParameterGrid

from ml import metrics
from ml.grid import score_grid
from ml.models import MODELS, PurchaseModel, build
from ml.pairs import read_candidates, read_contract, read_labels, read_training_set
from ml.progress import note
from ml.warehouse import Cutoff, Warehouse

#: Settings that are tried, per model. A model that is not named has none to choose.
SEARCH_SPACE = {
    "logistic_regression": {
        "C": [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1],
        "crossed_groups": [(), ("similarity",), ("place", "similarity")],
        "max_rows": [100_000],
        "max_iter": [60],
        "fit_probability": [False],
    }
}
#: Settings of the search alone: the chosen model is fitted with its own.
SEARCH_ONLY = ("max_rows", "max_iter", "fit_probability")
NOTE_EVERY = 3
N_VALIDATION_WEEKS = 4
MIN_FITTING_WEEKS = 2


@dataclass(frozen=True)
class Trial:
    """MAP@10 of one setting on one validation week."""

    model_name: str
    setting: int
    parameters: dict
    cutoff: dt.date
    map_at_10: float
    fit_seconds: float


@dataclass(frozen=True)
class SearchResult:
    """Every trial, the best setting per model and the best model."""

    trials: list[Trial]
    best_parameters: dict[str, dict]
    best_model: str


def split_weeks(
    cutoffs: Sequence[Cutoff],
) -> tuple[list[dt.date], list[dt.date]]:
    """Split labelled cutoffs into weeks to fit on and the last ones to judge on.

    Selection weeks are used if there are enough of them, else whatever is given.
    """
    weeks = [c.date for c in cutoffs if c.is_labelled and c.is_selection]
    if len(weeks) < MIN_FITTING_WEEKS + 1:
        weeks = [c.date for c in cutoffs if c.is_labelled]
    n_validation = min(N_VALIDATION_WEEKS, len(weeks) - MIN_FITTING_WEEKS)
    if n_validation < 1:
        return weeks, []
    return weeks[:-n_validation], weeks[-n_validation:]


def search(
    warehouse: Warehouse, cutoffs: Sequence[Cutoff], random_state: int = 0
) -> SearchResult:
    """Try every setting of every model and choose by mean MAP@10 over the weeks.

    Parameters
    ----------
    cutoffs
        Labelled cutoffs to choose on.
    random_state
        Seed of the models' draws.

    Returns
    -------
    SearchResult
        With too few weeks to judge on: no trials, default parameters, and logistic
        regression as the best model.
    """
    fitting, validation = split_weeks(cutoffs)
    if not validation:
        return default_settings()
    ((n_users,),) = warehouse.rows("select count(*) from core.dim_users")
    contract = read_contract(warehouse, fitting)
    training = read_training_set(warehouse, contract, fitting)
    trials: list[Trial] = []
    models: dict[tuple[str, int], PurchaseModel] = {}
    seconds: dict[tuple[str, int], float] = {}
    settings: dict[tuple[str, int], dict] = {}
    for name in MODELS:
        space = ParameterGrid(SEARCH_SPACE.get(name, {}))
        for number, parameters in enumerate(space, start=1):
            started = time.perf_counter()
            model = build(name, parameters, random_state).fit(training)
            # several settings of one model need names of their own in the grid
            model.name = f"{name}#{number}"
            models[name, number] = model
            settings[name, number] = parameters
            seconds[name, number] = time.perf_counter() - started
            if number % NOTE_EVERY == 0:
                note(f"{number}/{len(space)}")
    for week in validation:
        note(f"{week:%m-%d}")
        candidates = read_candidates(warehouse, week)
        labels = read_labels(warehouse, candidates)
        buyers = np.flatnonzero(labels.any(axis=1))
        if not len(buyers):
            continue
        grid = score_grid(
            warehouse,
            contract,
            candidates,
            list(models.values()),
            candidates.user_ids[buyers],
        )
        for (name, number), model in models.items():
            ranking = metrics.top_k(grid.scores[model.name])
            precision = metrics.average_precision(ranking, labels[buyers])
            trials.append(
                Trial(
                    name,
                    number,
                    settings[name, number],
                    week,
                    float(precision.sum() / n_users),
                    seconds[name, number],
                )
            )
    return _choose(trials, settings) if trials else default_settings()


def default_settings() -> SearchResult:
    """Return what is used without a search."""
    return SearchResult([], {name: {} for name in MODELS}, "logistic_regression")


def _choose(trials: list[Trial], settings: dict[tuple[str, int], dict]) -> SearchResult:
    means = {
        key: float(
            np.mean(
                [t.map_at_10 for t in trials if (t.model_name, t.setting) == key]
                or [-1.0]
            )
        )
        for key in settings
    }
    # the first of equals: settings come from the strongest penalty on
    winners: dict[str, tuple[str, int]] = {}
    for key, value in means.items():
        if key[0] not in winners or value > means[winners[key[0]]]:
            winners[key[0]] = key
    best = {
        name: {k: v for k, v in settings[key].items() if k not in SEARCH_ONLY}
        for name, key in winners.items()
    }
    best_model = max(winners, key=lambda name: means[winners[name]])
    return SearchResult(trials, best, best_model)


def parameters_text(parameters: dict) -> str:
    """Return parameters as JSON with sorted keys, for the tables."""
    return json.dumps(parameters, sort_keys=True)
