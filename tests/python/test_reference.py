"""The yardstick that must not move."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from build_features import CONTRACT, make_training_set

from ml.models import reference
from ml.models.reference import FEATURES, FrozenReference
from ml.pairs import TrainingSet
from ml.settings import PROJECT_DIR


@pytest.fixture(scope="module")
def training() -> TrainingSet:
    return make_training_set()


@pytest.fixture(scope="module")
def model(training) -> FrozenReference:
    return FrozenReference().fit(training)


def test_every_listed_feature_is_one_of_the_marts():
    (pairs,) = yaml.safe_load(
        (PROJECT_DIR / "models/marts/ml/pairs.yml").read_text(encoding="utf-8")
    )["models"][:1]
    features = {
        column["name"]
        for column in pairs["columns"]
        if column["config"]["meta"]["role"] == "feature"
    }
    assert len(FEATURES) == len(set(FEATURES)) == 43
    assert set(FEATURES) - features == set()


def test_it_sees_the_listed_features_and_no_other(model, training):
    # noise is not in the list
    seen = model._features(training.features)
    assert seen.contract.names == (
        *("expected_buyers", "profile_cosine", "user_age"),
        *("genre", "user_sex"),
    )
    assert seen.contract.groups == {
        name: CONTRACT.groups[name] for name in seen.contract.names
    }
    np.testing.assert_array_equal(seen.numeric, training.features.numeric[:, :3])
    np.testing.assert_array_equal(seen.codes, training.features.codes)
    changed = training.features.take(slice(None))
    changed.numeric[:, CONTRACT.numeric.index("noise")] = 7.0
    expected = model.predict(training.features)
    assert model.predict(changed).tobytes() == expected.tobytes()
    assert (model.contributions(changed)[:, CONTRACT.names.index("noise")] == 0).all()


def test_it_is_the_mean_of_five_seeds(model, training):
    chosen = model._features(training.features)
    seeds = [member.random_state for member in model.members_]
    assert seeds == [0, 1, 2, 3, 4]
    predicted = [member.predict(chosen) for member in model.members_]
    # the seeds differ
    assert len({p.tobytes() for p in predicted}) == reference.N_SEEDS
    assert model.predict(training.features) == pytest.approx(
        np.mean(predicted, axis=0), rel=1e-6
    )
    shares = np.mean([m.contributions(chosen) for m in model.members_], axis=0)
    names = CONTRACT.names
    placed = [names.index(name) for name in chosen.contract.names]
    assert model.contributions(training.features)[:, placed] == pytest.approx(
        shares, abs=1e-6
    )


def test_its_settings_are_those_of_lightgbm_as_it_comes(model):
    lines = model.members_[0].booster_.model_to_string().splitlines()
    found = dict(
        line.strip("[]").split(": ", 1)
        for line in lines
        if line.startswith("[")
        if ": " in line
    )
    expected = {
        "num_iterations": 100,
        "learning_rate": 0.1,
        "num_leaves": 31,
        "min_data_in_leaf": 20,
        "lambda_l1": 0,
        "lambda_l2": 0,
        "feature_fraction": 1,
        "bagging_fraction": 1,
        "max_bin": 255,
        "max_depth": -1,
        "cat_smooth": 10,
    }
    assert {name: float(found[name]) for name in expected} == expected
