"""A blend is the weighted mean of its members' log-odds, and nothing more."""

from __future__ import annotations

import numpy as np
import pytest
from build_features import make_training_set
from small_models import SMALL, small

from ml.models.blend import MEMBERS, Blend, log_odds
from ml.pairs import TrainingSet
from ml.registry import load_model, save_model

TWO = {
    "weights": {"logistic_regression": 3.0, "neural_network": 1.0},
    "parameters_of": {"neural_network": SMALL["neural_network"]},
}


@pytest.fixture(scope="module")
def training() -> TrainingSet:
    return make_training_set()


@pytest.fixture(scope="module")
def blend(training) -> Blend:
    return Blend(**TWO).fit(training)


def test_weights_are_shares_and_a_model_without_one_is_left_out():
    weights = {"logistic_regression": 3, "lightgbm_binary": 0, "neural_network": 1}
    model = Blend(weights)
    assert model.weights == {"logistic_regression": 0.75, "neural_network": 0.25}
    assert list(model.parameters_of) == ["logistic_regression", "neural_network"]
    assert model.coefficients() == [
        ("logistic_regression", "all", 0.75),
        ("neural_network", "all", 0.25),
    ]
    assert Blend().weights == dict.fromkeys(MEMBERS, 0.25)
    # shares stay what they are
    assert Blend(model.weights).parameters() == Blend(weights).parameters()


def test_the_mean_is_taken_in_log_odds():
    model = Blend({"logistic_regression": 3, "neural_network": 1})
    blended = model.combine(
        {
            "logistic_regression": np.array([0.5, 0.9, 0.2], dtype=np.float32),
            "neural_network": np.array([0.5, 0.5, 0.8], dtype=np.float32),
        }
    )
    # odds 1 and 1; 9 and 1: 9^(3/4) = 5.196; 1/4 and 4: 4^(-3/4 + 1/4) = 1/2
    assert blended == pytest.approx([0.5, 5.196152 / 6.196152, 1 / 3], rel=1e-6)
    assert blended.dtype == np.float32


def test_certain_members_leave_the_blend_finite():
    certain = log_odds(np.array([0.0, 1.0], dtype=np.float32))
    # 1e-9 and 1 - 1e-9
    assert certain == pytest.approx([-20.723, 20.723], abs=1e-3)


def test_predictions_and_contributions_are_those_of_the_members(blend, training):
    features = training.features
    first, second = (blend.members_[name] for name in blend.weights)
    odds = [log_odds(model.predict(features)) for model in (first, second)]
    assert log_odds(blend.predict(features)) == pytest.approx(
        0.75 * odds[0] + 0.25 * odds[1], abs=1e-5
    )
    assert blend.contributions(features) == pytest.approx(
        0.75 * first.contributions(features) + 0.25 * second.contributions(features),
        abs=1e-6,
    )


def test_members_fitted_with_the_same_settings_are_taken_over(training, blend):
    same = small("neural_network").fit(training)
    model = Blend(**TWO).adopt({"neural_network": same}).fit(training)
    assert model.members_["neural_network"] is same
    # the one that was missing was fitted
    assert (
        model.predict(training.features).tobytes()
        == blend.predict(training.features).tobytes()
    )


def test_members_with_other_settings_are_fitted_anew(training):
    other = MEMBERS["neural_network"](
        **SMALL["neural_network"] | {"n_epochs": 1}, random_state=0
    ).fit(training)
    other_seed = MEMBERS["neural_network"](
        **SMALL["neural_network"], random_state=1
    ).fit(training)
    for member in (other, other_seed):
        model = Blend(**TWO).adopt({"neural_network": member})
        assert model.members_ == {}
    fitted = Blend(**TWO, random_state=1).adopt({"neural_network": other_seed})
    assert fitted.members_ == {"neural_network": other_seed}


def test_a_loaded_blend_is_the_saved_one(blend, training, tmp_path):
    save_model(blend, tmp_path / "blend.json")
    loaded = load_model(tmp_path / "blend.json")
    assert isinstance(loaded, Blend)
    assert loaded.parameters() == blend.parameters()
    features = training.features
    assert loaded.predict(features).tobytes() == blend.predict(features).tobytes()
    assert (
        loaded.contributions(features).tobytes()
        == blend.contributions(features).tobytes()
    )
