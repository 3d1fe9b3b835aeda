"""Which hyper-parameters a search tries, per model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import optuna

#: Settings of the search alone: the chosen model is fitted with its own.
SEARCH_ONLY = {"fit_probability": False}

#: Groups with coefficients by genre, by the name under which they are tried.
CROSSED = {
    "none": [],
    "similarity": ["similarity"],
    "place": ["place", "similarity"],
    "rates": ["place", "similarity", "preference"],
    "market": ["place", "similarity", "price", "popularity"],
}
#: Hidden layers, by the name under which they are tried.
HIDDEN = {"32": [32], "64": [64], "64-32": [64, 32], "128-32": [128, 32]}


@dataclass(frozen=True)
class Space:
    """What is tried for one model.

    Attributes
    ----------
    suggest
        Returns the parameters of one trial.
    defaults
        What is tried first, by Optuna's names.
    """

    suggest: Callable[[optuna.Trial], dict]
    defaults: dict

    def __call__(self, trial: optuna.Trial) -> dict:
        """Return the parameters of one trial."""
        return self.suggest(trial)


def _logistic(trial: optuna.Trial) -> dict:
    return {
        "C": trial.suggest_float("C", 1e-4, 1e-1, log=True),
        "crossed_groups": CROSSED[trial.suggest_categorical("crossed", list(CROSSED))],
        "max_rows": trial.suggest_categorical("max_rows", [150_000, 300_000, 500_000]),
    }


def _trees(trial: optuna.Trial) -> dict:
    return {
        "n_trees": trial.suggest_int("n_trees", 100, 300, step=50),
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.1, log=True),
        "num_leaves": trial.suggest_categorical("num_leaves", [7, 15, 31]),
        "min_leaf_rows": trial.suggest_categorical("min_leaf_rows", [100, 200, 500]),
        "feature_share": trial.suggest_categorical("feature_share", [0.1, 0.2, 0.3]),
        "l2": trial.suggest_float("l2", 5.0, 100.0, log=True),
        "half_life_weeks": trial.suggest_categorical(
            "half_life_weeks", [None, 4, 8, 16]
        ),
    }


def _ranking_trees(trial: optuna.Trial) -> dict:
    objective = trial.suggest_categorical("objective", ["lambdarank", "rank_xendcg"])
    return {"objective": objective} | _trees(trial)


def _network(trial: optuna.Trial) -> dict:
    return {
        "hidden": HIDDEN[trial.suggest_categorical("hidden", list(HIDDEN))],
        "alpha": trial.suggest_float("alpha", 1e-5, 1e-1, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 3e-4, 3e-3, log=True),
        "n_epochs": trial.suggest_int("n_epochs", 3, 10),
        "n_networks": trial.suggest_int("n_networks", 2, 6),
    }


_TREE_DEFAULTS = {
    "n_trees": 200,
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_leaf_rows": 200,
    "feature_share": 0.3,
    "l2": 20.0,
    "half_life_weeks": 8,
}
SPACES = {
    "logistic_regression": Space(
        _logistic, {"C": 0.001, "crossed": "market", "max_rows": 300_000}
    ),
    "lightgbm_binary": Space(_trees, _TREE_DEFAULTS),
    "lightgbm_ranking": Space(
        _ranking_trees,
        {"objective": "lambdarank"}
        | _TREE_DEFAULTS
        | {"n_trees": 150, "learning_rate": 0.07, "feature_share": 0.1},
    ),
    "neural_network": Space(
        _network,
        {
            "hidden": "32",
            "alpha": 1e-4,
            "learning_rate": 2e-3,
            "n_epochs": 4,
            "n_networks": 4,
        },
    ),
}
