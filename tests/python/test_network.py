"""The network's sums are exact, its contributions add up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from build_features import CONTRACT, make_training_set

from ml.models import encoding, network
from ml.models.network import NeuralNetwork, rounded_inputs
from ml.pairs import TrainingSet

SETTINGS = {"hidden": (16, 8), "n_epochs": 3, "batch_rows": 128, "n_networks": 2}


@pytest.fixture(scope="module")
def training() -> TrainingSet:
    return make_training_set()


@pytest.fixture(scope="module")
def model(training) -> NeuralNetwork:
    return NeuralNetwork(**SETTINGS).fit(training)


def log_odds_of(model: NeuralNetwork, inputs: np.ndarray) -> np.ndarray:
    return model._log_odds(rounded_inputs(inputs) @ model._first_layer())


def test_values_are_rounded_to_whole_multiples_of_the_unit():
    unit = network.UNIT
    values = np.array([0.0, 0.4, 0.6, -1.4, 7.0]) * unit
    assert network.rounded(values).tolist() == [0, 0, unit, -unit, 7 * unit]


def test_a_score_does_not_depend_on_the_place_of_its_row(model, training, monkeypatch):
    inputs = model.encoder_.transform(training.features)
    expected = log_odds_of(model, inputs)
    # a library that adds up in another order takes other blocks another way
    for shift in (1, 3, 17, 333):
        moved = log_odds_of(model, np.roll(inputs, shift, axis=0))
        assert np.roll(moved, -shift).tobytes() == expected.tobytes()
    for block_rows in (1, 7, 256):
        monkeypatch.setattr(encoding, "BLOCK_ROWS", block_rows)
        assert model.ranking(training.features).tobytes() == expected.tobytes()


def test_the_score_is_that_of_the_fitted_layers(model, training):
    inputs = model.encoder_.transform(training.features).astype(np.float64)
    log_odds = []
    for layers in model.layers_:
        values = inputs
        for weights, bias in layers[:-1]:
            values = np.maximum(values @ weights + bias, 0)
        weights, bias = layers[-1]
        log_odds.append((values @ weights + bias)[:, 0])
    # rounding costs less than a ten-thousandth in log-odds
    assert len(log_odds) == 2
    assert model.ranking(training.features) == pytest.approx(
        np.mean(log_odds, axis=0), abs=1e-4
    )


def test_users_and_coupons_are_worked_out_once_and_the_scores_are_the_same(training):
    levels = {"user_age": "user", "user_sex": "user", "expected_buyers": "coupon"}
    features = replace(training.features, contract=replace(CONTRACT, levels=levels))
    model = NeuralNetwork(**SETTINGS).fit(replace(training, features=features))
    expected = model.ranking(features)
    weeks = training.cutoff.astype(int)
    known = replace(
        features,
        users=training.user_id,
        coupons=1000 * weeks + training.coupon_id,
    )
    assert model.ranking(known).tobytes() == expected.tobytes()
    restored = NeuralNetwork(**SETTINGS).restore(model.state())
    assert restored.ranking(known).tobytes() == expected.tobytes()
    # who says that all pairs are of one user gets the first one's sex and age for all
    mistaken = replace(known, users=np.zeros(len(known), dtype=np.int32))
    first = features.take(np.zeros(len(features), dtype=int))
    one_user = replace(features, values=features.values.copy())
    places = features.contract.places(["user_age", "user_sex"])
    one_user.values[:, places] = first.values[:, places]
    assert model.ranking(mistaken).tobytes() == model.ranking(one_user).tobytes()
    assert model.ranking(mistaken).tobytes() != expected.tobytes()


def test_contributions_by_hand():
    # one hidden unit, max(0, x1 + x2 - 1), and weight 2 behind it. The average pair is
    # (0, 0): its unit is at -1, silent. At (3, 1) it stands at 3: a rise of 3 for an
    # input that rose by 4, so 3/4 x 2 = 1.5 per unit of x1 and of x2.
    model = NeuralNetwork()
    model.center_ = np.zeros(2, dtype=np.float32)
    model.layers_ = [
        [
            (np.ones((2, 1)), np.array([-1.0])),
            (np.array([[2.0]]), np.array([0.5])),
        ]
    ]
    inputs = np.array([[3, 1], [0, 0], [0.5, 0.25], [-2, 5]], dtype=np.float32)
    # silent at both ends: slope 0; at (-2, 5) a rise of 2 for 3
    assert model._slope(inputs) == pytest.approx(
        np.array([[1.5, 1.5], [0, 0], [0, 0], [4 / 3, 4 / 3]])
    )
    # 0.5 + 2 x 3, 0.5, 0.5, 0.5 + 2 x 2
    assert log_odds_of(model, inputs) == pytest.approx([6.5, 0.5, 0.5, 4.5])


def test_contributions_sum_to_the_difference_to_the_average_pair(model, training):
    shares = model.ranking_contributions(training.features).sum(axis=1)
    average = log_odds_of(model, model.center_[None, :])
    assert shares == pytest.approx(model.ranking(training.features) - average, abs=1e-4)


def test_more_networks_are_the_mean_of_single_ones(training):
    both = NeuralNetwork(**SETTINGS).fit(training)
    settings = SETTINGS | {"n_networks": 1, "fit_probability": False}
    first = NeuralNetwork(**settings).fit(training)
    assert both.layers_[0][0][0].tolist() == first.layers_[0][0][0].tolist()
    assert both.layers_[0][0][0].tolist() != both.layers_[1][0][0].tolist()
