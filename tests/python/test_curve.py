"""From scores to probabilities, by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from build_features import CONTRACT, make_contract, make_features, make_training_set

from ml.models.base import MIN_SLOPE
from ml.models.curve import ProbabilityCurve
from ml.pairs import FeatureContract, Features

#: Nothing is known of the user.
PLAIN = make_contract(("expected_buyers",))
USERS = FeatureContract(("user_age",), {}, {"user_age": "user"})
#: Weights so large that the ridge penalty does not matter.
MANY = 1e6


def plain_features(n: int) -> Features:
    return make_features(PLAIN, [{"expected_buyers": 1.0}] * n)


def log_odds(probability: np.ndarray) -> np.ndarray:
    return np.log(probability) - np.log1p(-probability.astype(np.float64))


def test_slope_and_intercept_by_hand():
    score = np.array([0.0, 0.0, 1.0, 1.0])
    label = np.array([True, False, True, False])
    weight = MANY * np.array([1, 3, 3, 1])
    curve = ProbabilityCurve().fit(plain_features(4), score, label, weight)
    # odds 1/3 at score 0 and 3 at score 1: log-odds -log 3 and +log 3
    assert curve.intercept_ == pytest.approx(-np.log(3), rel=1e-4)
    assert curve.slope_ == pytest.approx(2 * np.log(3), rel=1e-4)
    assert curve.predict(plain_features(3), np.array([0.0, 0.5, 1.0])) == pytest.approx(
        [0.25, 0.5, 0.75], rel=1e-4
    )


def test_what_is_known_of_the_user_tells_whether_any_is_bought():
    # the score says nothing about these users, their age everything
    features = make_features(USERS, [{"user_age": age} for age in (20, 20, 60, 60)])
    label = np.array([True, False, True, False])
    weight = MANY * np.array([1, 3, 3, 1])
    score = np.array([0.3, 0.3, 0.3, 0.3])
    curve = ProbabilityCurve().fit(features, score, label, weight)
    predicted = curve.predict(features, score)
    assert predicted == pytest.approx([0.25, 0.25, 0.75, 0.75], rel=1e-3)
    # ages are standardised to -1 and 1: log 3 each way, and all of it is the age's
    shares = curve.contributions(features, np.zeros((4, 1)))
    assert shares[:, 0] == pytest.approx(np.log(3) * np.array([-1, -1, 1, 1]), rel=1e-3)
    assert shares.dtype == np.float32


def test_the_order_of_the_score_stays_whatever_the_sample_says():
    score = np.array([0.0, 0.0, 1.0, 1.0])
    label = np.array([True, False, True, False])
    weight = MANY * np.array([3, 1, 1, 3])
    curve = ProbabilityCurve().fit(plain_features(4), score, label, weight)
    assert curve.slope_ == MIN_SLOPE
    predicted = curve.predict(plain_features(2), np.array([0.0, 1.0]))
    assert predicted[1] > predicted[0]
    # and the mean is that of the pairs: one half
    assert predicted == pytest.approx([0.5, 0.5], abs=1e-3)


@pytest.fixture(scope="module")
def fitted():
    training = make_training_set()
    score = np.nan_to_num(training.features.column("profile_cosine"), nan=0.5)
    curve = ProbabilityCurve().fit(
        training.features, score, training.label, training.weight
    )
    return training, score, curve


def test_the_mean_probability_is_the_weighted_base_rate(fitted):
    training, score, curve = fitted
    predicted = curve.predict(training.features, score)
    # an unpenalised intercept makes the weighted residuals sum to zero
    assert np.average(predicted, weights=training.weight) == pytest.approx(
        np.average(training.label, weights=training.weight), rel=1e-4
    )


def test_contributions_add_up(fitted):
    training, score, curve = fitted
    of_score = np.zeros((len(training), len(CONTRACT.names)))
    of_score[:, CONTRACT.names.index("profile_cosine")] = score
    shares = curve.contributions(training.features, of_score)
    rest = log_odds(curve.predict(training.features, score)) - shares.sum(axis=1)
    assert rest == pytest.approx(np.full(len(rest), curve.intercept_), abs=1e-5)
    # besides the score it knows user_age and user_sex, which are groups of the user
    credited = {CONTRACT.names[i] for i in np.flatnonzero(np.abs(shares).max(axis=0))}
    assert credited == {"profile_cosine", "user_age", "user_sex"}


def test_users_that_are_known_to_be_the_same_are_looked_at_once(fitted):
    training, score, curve = fitted
    names = CONTRACT.names
    of_user = [
        place for place, name in enumerate(names) if CONTRACT.groups[name] == "user"
    ]
    # every fifth pair is of the same user
    users = np.arange(len(training)) % 5
    values = training.features.values.copy()
    values[:, of_user] = values[users][:, of_user]
    features = Features(CONTRACT, values)
    known = replace(features, users=users)
    assert (
        curve.predict(known, score).tobytes()
        == curve.predict(features, score).tobytes()
    )
    # it is asked of each user and not of each pair
    values[5:, of_user] = np.nan
    assert np.isfinite(curve.predict(known, score)).all()
    assert (
        curve.predict(known, score).tobytes()
        != curve.predict(features, score).tobytes()
    )


def test_a_restored_curve_gives_the_same_bits(fitted):
    training, score, curve = fitted
    state = json.loads(json.dumps(curve.state()))
    restored = ProbabilityCurve().restore(state, CONTRACT)
    features = training.features.take(slice(None))
    assert (
        restored.predict(features, score).tobytes()
        == curve.predict(training.features, score).tobytes()
    )
