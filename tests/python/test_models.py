"""One suite for all models, on data whose right answer is known."""

from __future__ import annotations

import json

import numpy as np
import pytest
from build_features import (
    CONTRACT,
    FOOD,
    NEGATIVE_WEIGHT,
    SPA,
    make_contract,
    make_features,
    make_training_set,
)
from small_models import small

from ml.models import MODELS
from ml.models.base import sigmoid
from ml.models.logistic import Logistic
from ml.models.sampling import buyer_weeks, thin_negatives
from ml.pairs import FeatureContract, Features, TrainingSet

#: The feature by which each model must rank, strictly; the logistic regression has two.
INFORMATIVE = [
    ("popularity", "expected_buyers"),
    ("cosine", "profile_cosine"),
    ("competition_cosine", "competition_cosine"),
    ("logistic_regression", "expected_buyers"),
    ("logistic_regression", "profile_cosine"),
]
SINGLE = ("popularity", "cosine", "competition_cosine")
#: Models that find out by themselves which features tell something.
LEARNING = tuple(name for name in MODELS if name not in SINGLE)
#: Models whose probabilities were fitted on every training pair.
SEEN_ALL = (*SINGLE, "logistic_regression")
#: Models whose contributions add up; the competition's cosine goes by no feature.
ADDITIVE = tuple(name for name in MODELS if name != "competition_cosine")


@pytest.fixture(scope="module")
def training() -> TrainingSet:
    return make_training_set()


@pytest.fixture(scope="module")
def fitted(training) -> dict:
    return {name: small(name).fit(training) for name in MODELS}


@pytest.fixture(params=MODELS)
def name(request) -> str:
    return request.param


@pytest.fixture
def model(name, fitted):
    return fitted[name]


def log_odds(probability: np.ndarray) -> np.ndarray:
    probability = probability.astype(np.float64)
    return np.log(probability) - np.log1p(-probability)


def test_fit_returns_the_model_itself(name, training):
    model = small(name)
    assert model.fit(training) is model
    assert model.contract_ == CONTRACT


def test_predictions_are_probabilities(model, training):
    predicted = model.predict(training.features)
    assert predicted.shape == (len(training),)
    assert predicted.dtype == np.float32
    assert ((predicted > 0) & (predicted < 1)).all()


def test_a_fit_repeats_to_the_bit(name, model, training):
    again = small(name).fit(make_training_set())
    expected = model.predict(training.features)
    assert again.predict(training.features).tobytes() == expected.tobytes()


def predict_along(model, feature: str) -> np.ndarray:
    """Return the log-odds of four pairs that differ in one feature, low to high."""
    base = {
        "expected_buyers": 5,
        "profile_cosine": 0.5,
        "user_age": 40,
        "noise": 0,
        "genre": "food",
        "user_sex": "male",
    }
    values = {
        "expected_buyers": (0, 1, 10, 60),
        "profile_cosine": (0, 0.2, 0.6, 1),
        "competition_cosine": (0, 1, 10, 60),
        "noise": (-2, -1, 1, 2),
    }
    rows = [base | {feature: value} for value in values[feature]]
    return log_odds(model.predict(make_features(CONTRACT, rows)))


@pytest.mark.parametrize(("name", "feature"), INFORMATIVE)
def test_more_of_the_informative_feature_ranks_higher(fitted, name, feature):
    predicted = predict_along(fitted[name], feature)
    assert (np.diff(predicted) > 0).all()
    # from one end to the other the odds grow at least five-fold
    assert np.ptp(predicted) > np.log(5)


@pytest.mark.parametrize("name", LEARNING)
def test_learning_models_find_what_matters(fitted, name):
    rise = {
        feature: predict_along(fitted[name], feature)
        for feature in ("expected_buyers", "profile_cosine", "noise")
    }
    for feature in ("expected_buyers", "profile_cosine"):
        assert rise[feature][-1] - rise[feature][0] > np.log(4)
    # trees go in steps, and noise moves them a little
    assert np.ptp(rise["noise"]) < np.log(3)


def test_the_informative_features_outweigh_noise(fitted):
    largest = {
        label: abs(value)
        for label, genre, value in fitted["logistic_regression"].coefficients()
        if genre == "all"
    }
    for feature in ("expected_buyers", "profile_cosine"):
        assert largest[feature] > 5 * largest["noise"]


@pytest.mark.parametrize("name", SEEN_ALL)
def test_the_mean_probability_is_the_weighted_base_rate(fitted, name, training):
    # an unpenalised intercept makes the weighted residuals sum to zero; the curves of
    # other models are fitted on buyers that the ranking has not seen (test_curve.py)
    model = fitted[name]
    predicted = np.average(model.predict(training.features), weights=training.weight)
    bought = np.average(training.label, weights=training.weight)
    assert predicted == pytest.approx(bought, rel=1e-3)
    # and the weights were heeded: without them purchases are far more frequent
    assert training.label.mean() > 2 * bought


def test_predictions_of_a_fresh_week_are_calibrated(model):
    # other draws of the same world: within the sampling error of some 500 purchases
    fresh = make_training_set(seed=1)
    predicted = np.average(model.predict(fresh.features), weights=fresh.weight)
    bought = np.average(fresh.label, weights=fresh.weight)
    assert predicted == pytest.approx(bought, rel=0.25)


def test_a_restored_model_predicts_the_same_bits(name, model, training):
    state = json.loads(json.dumps(model.state()))
    restored = small(name)
    assert restored.restore(state) is restored
    assert restored.contract_ == CONTRACT
    features = training.features.take(slice(None))
    expected = model.predict(training.features)
    assert restored.predict(features).tobytes() == expected.tobytes()
    assert (
        restored.contributions(features).tobytes()
        == model.contributions(training.features).tobytes()
    )


def test_parameters_are_plain_json(model):
    parameters = model.parameters()
    assert json.loads(json.dumps(parameters)) == parameters


def test_predictions_do_not_depend_on_the_rows_beside_them(model, training):
    whole = model.predict(training.features)
    for chunk_rows in (1, 333, 700, len(training)):
        parts = model.predict_in_chunks(training.features, chunk_rows)
        assert parts.tobytes() == whole.tobytes()


def test_predictions_of_no_rows_are_none(model, training):
    nothing = model.predict_in_chunks(training.features.take(slice(0, 0)))
    assert nothing.shape == (0,)


@pytest.mark.parametrize(
    "other",
    [
        make_contract(("expected_buyers", "profile_cosine"), {"genre": ("food",)}),
        # numeric features in another order
        FeatureContract(
            CONTRACT.numeric[::-1],
            dict(CONTRACT.categories),
            dict(CONTRACT.groups),
            CONTRACT.scores,
        ),
        # categorical features in another order: the codes would be mixed up
        FeatureContract(
            CONTRACT.numeric,
            dict(reversed(CONTRACT.categories.items())),
            dict(CONTRACT.groups),
            CONTRACT.scores,
        ),
        # one category more
        FeatureContract(
            CONTRACT.numeric,
            CONTRACT.categories | {"genre": ("food", "hotel", "spa")},
            dict(CONTRACT.groups),
            CONTRACT.scores,
        ),
        # another score
        FeatureContract(
            CONTRACT.numeric,
            dict(CONTRACT.categories),
            dict(CONTRACT.groups),
            ("other",),
        ),
    ],
    ids=["fewer", "numeric order", "categorical order", "category", "score"],
)
def test_features_of_another_contract_are_refused(model, other):
    features = make_features(other, [{"expected_buyers": 1, "profile_cosine": 0}])
    with pytest.raises(ValueError, match=r"fitted on other features.*train again"):
        model.predict(features)
    with pytest.raises(ValueError, match=r"fitted on other features.*train again"):
        model.contributions(features)


def test_contributions_have_a_column_per_feature(model, training):
    shares = model.contributions(training.features)
    assert shares.shape == (len(training), len(CONTRACT.names))
    assert shares.dtype == np.float32


@pytest.mark.parametrize("name", ADDITIVE)
def test_contributions_add_up_to_differences_in_log_odds(fitted, name, training):
    # log-odds minus contributions is the same number for every pair, that of an average
    # one: of any genre, of none, with nulls and without
    model, features = fitted[name], training.features
    rest = log_odds(model.predict(features)) - model.contributions(features).sum(axis=1)
    assert rest == pytest.approx(np.full(len(rest), rest[0]), abs=1e-4)


@pytest.mark.parametrize(
    ("name", "feature"),
    [("popularity", "expected_buyers"), ("cosine", "profile_cosine")],
)
def test_single_feature_models_credit_their_feature_only(
    fitted, training, name, feature
):
    shares = fitted[name].contributions(training.features)
    credited = [CONTRACT.names[i] for i in np.flatnonzero(np.any(shares != 0, axis=0))]
    assert credited == [feature]
    # against the average training pair
    average = np.average(shares.sum(axis=1), weights=training.weight)
    assert average == pytest.approx(0, abs=1e-5)


def test_no_model_but_its_own_sees_a_score(fitted, training):
    features = training.features
    without = Features(CONTRACT, features.values, np.zeros_like(features.scores))
    changed = {
        name
        for name, model in fitted.items()
        if model.predict(without).tobytes() != model.predict(features).tobytes()
    }
    assert changed == {"competition_cosine"}
    # and fitted without the score the others are the same
    training = TrainingSet(
        without,
        *(training.label, training.weight),
        *(training.cutoff, training.user_id, training.coupon_id),
    )
    for name in ("logistic_regression", "lightgbm_binary"):
        again = small(name).fit(training).predict(features)
        assert again.tobytes() == fitted[name].predict(features).tobytes()


def test_the_competition_cosine_gives_no_feature_as_a_reason(fitted, training):
    assert not fitted["competition_cosine"].contributions(training.features).any()


def test_an_uninformative_feature_still_ranks():
    # purchases fall with the cosine, yet its ranking stays the feature's own
    contract = make_contract(("expected_buyers", "profile_cosine"))
    rows = [{"expected_buyers": 1, "profile_cosine": i / 10} for i in range(10)]
    label = np.arange(10) < 5
    keys = np.arange(10, dtype=np.int32)
    training = TrainingSet(
        make_features(contract, rows),
        label ^ (np.arange(10) % 4 == 0),
        np.ones(10),
        np.full(10, np.datetime64("2012-06-10")),
        keys,
        keys,
    )
    model = MODELS["cosine"]().fit(training)
    assert (np.diff(model.predict(training.features)) > 0).all()


def test_rare_purchases_keep_their_probability_and_order():
    # float32 has seven digits: (1 + tanh(x / 2)) / 2 would lose them all below 1e-7
    rare = np.array([-30, -20, -16, -15.9, -12], dtype=np.float32)
    exact = 1 / (1 + np.exp(-rare.astype(np.float64)))
    assert sigmoid(rare) == pytest.approx(exact, rel=1e-5)
    assert sigmoid(rare).dtype == np.float32


def test_sigmoid_does_not_overflow():
    assert sigmoid(np.array([-1000.0, 0.0, 1000.0])).tolist() == [0, 0.5, 1]


# --- logistic regression


@pytest.fixture(scope="module")
def opposite() -> TrainingSet:
    return make_training_set(cosine_effect={FOOD: 4.0, SPA: -4.0})


def slope_by_genre(model: Logistic) -> dict[str, float]:
    """Return the change of log-odds from no to full cosine, by genre."""
    rows = [
        {"expected_buyers": 5, "user_age": 40, "noise": 0, "user_sex": "male"}
        | {"genre": genre, "profile_cosine": cosine}
        for genre in ("food", "spa")
        for cosine in (0, 1)
    ]
    low, high = log_odds(model.predict(make_features(CONTRACT, rows))).reshape(2, 2).T
    return dict(zip(("food", "spa"), high - low, strict=True))


def test_crossed_coefficients_find_an_effect_that_differs_by_genre(opposite):
    model = Logistic(C=1.0, crossed_groups=("pair",)).fit(opposite)
    slope = slope_by_genre(model)
    # the truth is +4 and -4
    assert slope["food"] == pytest.approx(4, abs=1)
    assert slope["spa"] == pytest.approx(-4, abs=1)
    crossed = {
        genre: value
        for label, genre, value in model.coefficients()
        if label == "profile_cosine" and genre != "all"
    }
    assert crossed["food"] > 0 > crossed["spa"]


def test_without_crossed_groups_the_effect_is_one_for_all_genres(opposite):
    model = Logistic(C=1.0, crossed_groups=()).fit(opposite)
    slope = slope_by_genre(model)
    assert slope["food"] == pytest.approx(slope["spa"], abs=1e-4)
    assert {genre for _, genre, _ in model.coefficients()} == {"all"}


@pytest.mark.parametrize("groups", [(), ("pair",), ("user", "pair"), ("coupon",)])
def test_every_choice_of_crossed_groups_is_additive_and_restores(opposite, groups):
    model = Logistic(C=0.1, crossed_groups=groups).fit(opposite)
    features = opposite.features
    predicted = model.predict(features)
    rest = log_odds(predicted) - model.contributions(features).sum(axis=1)
    assert rest == pytest.approx(np.full(len(rest), rest[0]), abs=1e-4)
    restored = Logistic(crossed_groups=groups).restore(
        json.loads(json.dumps(model.state()))
    )
    assert restored.predict(features).tobytes() == predicted.tobytes()


def test_logistic_contributions_of_the_average_buyers_pair_are_zero(training):
    model = Logistic().fit(training)
    buyers = training.take(buyer_weeks(training)[1])
    shares = model.contributions(buyers.features).sum(axis=1)
    # crossed terms do not average out exactly, features by genre being uneven
    assert np.average(shares, weights=buyers.weight) == pytest.approx(0, abs=0.05)


def test_only_users_who_bought_in_that_week_teach_the_ranking():
    weeks = np.array(["2012-06-03"] * 4 + ["2012-06-10"] * 2, dtype="datetime64[D]")
    users = np.array([1, 1, 2, 2, 1, 2], dtype=np.int32)
    label = np.array([0, 1, 0, 0, 0, 1], dtype=bool)
    training = TrainingSet(
        Features.of(CONTRACT, np.zeros((6, 4), np.float32), np.zeros((6, 2), np.int16)),
        label,
        np.ones(6),
        weeks,
        users,
        np.arange(6, dtype=np.int32),
    )
    # user 1 bought in the first week only, user 2 in the second only
    assert buyer_weeks(training)[0].tolist() == [0, 0, 1, 1, 2, 3]
    assert buyer_weeks(training)[1].tolist() == [1, 1, 0, 0, 0, 1]


def test_thinning_keeps_all_positives_and_the_total_weight(training):
    is_used = np.ones(len(training), dtype=bool)
    n_positives = int(training.label.sum())
    max_rows = n_positives + 500
    rows, weight = thin_negatives(training, is_used, max_rows, 0)
    thinned = training.take(rows)
    assert thinned.label.sum() == n_positives
    # 500 negatives are expected, with a deviation of at most sqrt(500) = 22
    assert len(thinned) == pytest.approx(max_rows, abs=4 * 22)
    assert (weight[thinned.label] == 1).all()
    negatives = training.weight[~training.label].sum()
    assert weight[~thinned.label].sum() == pytest.approx(negatives, rel=4 * 22 / 500)
    # each of them stands for as many as were left out, times its own weight
    n_negatives = (~training.label).sum()
    assert weight[~thinned.label] == pytest.approx(NEGATIVE_WEIGHT * n_negatives / 500)


def test_thinning_within_the_bound_changes_nothing(training):
    is_used = np.arange(len(training)) < 100
    rows, weight = thin_negatives(training, is_used, 1_000, 0)
    assert rows.tolist() == list(range(100))
    assert weight.tolist() == training.weight[:100].tolist()


def test_a_thinned_fit_is_close_to_the_full_one_and_repeats(training):
    full = Logistic(C=0.1).fit(training)
    thin = Logistic(C=0.1, max_rows=1_200, random_state=3).fit(training)
    again = Logistic(C=0.1, max_rows=1_200, random_state=3).fit(training)
    other = Logistic(C=0.1, max_rows=1_200, random_state=4).fit(training)
    assert len(training) > 1_500
    scores = thin.predict(training.features)
    assert again.predict(training.features).tobytes() == scores.tobytes()
    assert other.predict(training.features).tobytes() != scores.tobytes()
    bought = np.average(training.label, weights=training.weight)
    mean = np.average(scores, weights=training.weight)
    assert mean == pytest.approx(bought, rel=0.1)
    correlation = np.corrcoef(
        log_odds(scores), log_odds(full.predict(training.features))
    )
    assert correlation[0, 1] > 0.97
