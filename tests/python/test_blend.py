"""A blend is the weighted mean of its members' probabilities, and nothing more."""

from __future__ import annotations

import numpy as np
import pytest
from build_features import make_training_set
from small_models import SMALL, small

from ml.models.blend import MEMBERS, Blend, log_odds, odds_slope
from ml.pairs import Features, TrainingSet
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


def test_the_mean_is_that_of_probabilities():
    model = Blend({"logistic_regression": 3, "neural_network": 1})
    blended = model.combine(
        {
            "logistic_regression": np.array([0.5, 0.9, 0.2], dtype=np.float32),
            "neural_network": np.array([0.5, 0.5, 0.8], dtype=np.float32),
        }
    )
    # 3/4 of the first and 1/4 of the second
    assert blended == pytest.approx([0.5, 0.8, 0.35], rel=1e-6)
    assert blended.dtype == np.float32


def test_a_member_without_probabilities_is_refused():
    with pytest.raises(ValueError, match="neural_network gives no probability"):
        Blend(parameters_of={"neural_network": {"fit_probability": False}})


def test_predictions_are_those_of_the_members_by_weight(blend, training):
    features = training.features
    first, second = (blend.members_[name] for name in blend.weights)
    assert blend.predict(features) == pytest.approx(
        0.75 * first.predict(features) + 0.25 * second.predict(features), rel=1e-6
    )


class Fixed:
    """A member of one pair: its probability, and what two features add to it."""

    def __init__(self, probability: float, contributions: list[float]) -> None:
        self.probability = np.array([probability], dtype=np.float32)
        self.of_features = np.array([contributions], dtype=np.float32)

    def predict(self, features: Features) -> np.ndarray:
        """Return the probability."""
        return self.probability

    def contributions(self, features: Features) -> np.ndarray:
        """Return the contributions in log-odds."""
        return self.of_features


def test_contributions_count_by_what_they_move_the_mean(training):
    # the average pair of both has odds 1 to 4; the first member sees odds of 4 to 1,
    # all by the first feature, the second still 1 to 4: two features cancel
    change = float(np.log(16))
    model = Blend({"logistic_regression": 3, "neural_network": 1})
    model.contract_ = training.features.contract
    model.members_ = {
        "logistic_regression": Fixed(0.8, [change, 0.0]),
        "neural_network": Fixed(0.2, [1.0, -1.0]),
    }
    shares = model.contributions(training.features.take(slice(0, 1)))
    # the mean rises from 0.2 to 3/4 of 0.8 and 1/4 of 0.2 = 0.65, odds 13 to 7: the
    # whole rise in log-odds is log(13 / 7 * 4)
    rise = float(np.log(52 / 7))
    assert shares.sum() == pytest.approx(rise, rel=1e-5)
    # the second member's probability changes by 0.16 per unit of log-odds where it
    # stands, a quarter of that the mean, whose log-odds rise by rise / 0.45 per unit
    second = 0.25 * 0.16 * rise / 0.45
    assert shares == pytest.approx(np.array([[rise + second, -second]]), rel=1e-5)
    assert shares.dtype == np.float32


@pytest.mark.parametrize("probability", [0.0, 1e-30, 1e-12, 1.0])
def test_nearly_certain_members_leave_the_blend_finite(training, probability):
    # the average pair of the first has even odds, of the second those of 1 to 4
    rise = float(log_odds(np.array([probability], dtype=np.float32))[0])
    model = Blend({"logistic_regression": 1, "neural_network": 1})
    model.contract_ = training.features.contract
    model.members_ = {
        "logistic_regression": Fixed(probability, [rise, 0.0]),
        "neural_network": Fixed(0.2, [0.0, 0.0]),
    }
    features = training.features.take(slice(0, 1))
    mean = (probability + 0.2) / 2
    assert model.predict(features) == pytest.approx([mean], rel=1e-6)
    start, end = (np.log(p / (1 - p)) for p in (0.35, mean))
    assert model.contributions(features) == pytest.approx(
        np.array([[end - start, 0.0]]), rel=1e-5, abs=1e-6
    )


def test_a_mean_of_certainties_is_no_more_than_1():
    # 1/9, 4/9, 3/9 and 1/9 sum to 1.0000001 in float32
    model = Blend(dict(zip(MEMBERS, (1, 4, 3, 1), strict=True)))
    certain = dict.fromkeys(MEMBERS, np.ones(2, dtype=np.float32))
    assert model.combine(certain).tolist() == [1, 1]


def test_the_slope_of_log_odds_is_their_rise_by_that_of_the_probability():
    start, end = np.array([0.2, 0.5, 0.2]), np.array([0.8, 0.5, 0.2 + 1e-12])
    # log(16) over 0.6; where nothing rises the derivative, 1 / (p (1 - p))
    assert odds_slope(start, end) == pytest.approx([np.log(16) / 0.6, 4, 6.25])
    assert np.isfinite(odds_slope(np.zeros(2), np.array([0.0, 1.0]))).all()


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
