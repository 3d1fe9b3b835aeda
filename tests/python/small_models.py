"""Settings under which models learn fast: few trees, one small network."""

from __future__ import annotations

from ml.models import MEMBERS, MODELS, PurchaseModel, build

_TREES = {
    "n_trees": 30,
    "learning_rate": 0.2,
    "num_leaves": 7,
    "min_leaf_rows": 20,
    "feature_share": 1.0,
    "calibration_share": 0.3,
}
#: Hyper-parameters by model.
SMALL: dict[str, dict] = {
    "logistic_regression": {"max_iter": 40},
    "lightgbm_binary": _TREES,
    "lightgbm_ranking": {"objective": "rank_xendcg"} | _TREES,
    "neural_network": {
        "hidden": [8],
        "learning_rate": 0.01,
        "batch_rows": 64,
        "n_networks": 1,
        "calibration_share": 0.3,
    },
    "two_branch_network": {
        "tower_units": [8],
        "n_factors": 4,
        "pair_units": [8],
        "learning_rate": 0.01,
        "n_networks": 1,
        "calibration_share": 0.3,
    },
}
SMALL["funnel"] = {
    "view": {k: v for k, v in _TREES.items() if k != "calibration_share"},
    "purchase": {k: v for k, v in _TREES.items() if k != "calibration_share"},
    "calibration_share": 0.3,
}
SMALL["blend"] = {
    "weights": {
        "logistic_regression": 0.4,
        "lightgbm_binary": 0.2,
        "lightgbm_ranking": 0.2,
        "neural_network": 0.2,
    },
    "parameters_of": {name: SMALL[name] for name in MEMBERS},
}


def small(name: str) -> PurchaseModel:
    """Return an unfitted model that learns fast."""
    assert name in MODELS
    return build(name, SMALL.get(name, {}), random_state=0)
