"""The two branches: who gets which feature, what is fitted, what a score is made of."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from build_features import CONTRACT, make_contract, make_features, make_training_set

from ml.catalogue import features_of
from ml.manifest import models
from ml.models import encoding, two_branch
from ml.models.two_branch import TwoBranchNetwork, levels_of
from ml.pairs import TrainingSet, read_contract, read_training_set
from ml.registry import load_model, save_model
from ml.warehouse import open_warehouse

torch = pytest.importorskip(
    "torch",
    reason="PyTorch is not installed (`make torch`): two_branch_network is not tested, "
    "neither here nor in the suite that all models share",
)
branch_training = pytest.importorskip("ml.models.branch_training")

SETTINGS = {
    "tower_units": (8,),
    "n_factors": 4,
    "pair_units": (8, 4),
    "learning_rate": 0.01,
    "n_epochs": 3,
    "n_networks": 2,
}


@pytest.fixture(scope="module")
def training() -> TrainingSet:
    return make_training_set()


@pytest.fixture(scope="module")
def model(training) -> TwoBranchNetwork:
    return TwoBranchNetwork(**SETTINGS).fit(training)


def pairs_of(rows: list[dict], n_weeks: int = 1, **settings) -> TrainingSet:
    """Return pairs of one or more weeks from rows with user, coupon and features."""
    keys = ("user", "coupon", "week", "label")
    numeric = tuple(name for name in rows[0] if name not in keys)
    return TrainingSet(
        make_features(make_contract(numeric), rows),
        np.array([row.get("label", 0) for row in rows], dtype=bool),
        np.ones(len(rows)),
        np.array([f"2012-05-{6 + 7 * row.get('week', 0):02}" for row in rows], "M8[D]"),
        np.array([row["user"] for row in rows], dtype=np.int32),
        np.array([row["coupon"] for row in rows], dtype=np.int32),
    )


# --- whose a feature is


def test_pairs_tell_what_a_feature_says_something_of():
    rows = [
        # the user's age may change from week to week, the coupon's price too
        {"user": 1, "coupon": 1, "week": 0, "age": 30, "price": 5, "near": 1},
        {"user": 1, "coupon": 2, "week": 0, "age": 30, "price": 7, "near": 0},
        {"user": 2, "coupon": 1, "week": 0, "age": None, "price": 5, "near": 0},
        {"user": 2, "coupon": 2, "week": 0, "age": None, "price": 7, "near": 0},
        {"user": 1, "coupon": 1, "week": 1, "age": 31, "price": None, "near": 0},
        {"user": 2, "coupon": 1, "week": 1, "age": 20, "price": None, "near": 0},
    ]
    assert levels_of(pairs_of(rows)) == {
        "age": "user",
        "price": "coupon",
        "near": "pair",
    }


def test_a_null_beside_a_number_differs():
    rows = [
        {"user": 1, "coupon": 1, "x": 1, "never_varies": 7},
        {"user": 1, "coupon": 2, "x": None, "never_varies": 7},
        {"user": 2, "coupon": 2, "x": 2, "never_varies": 7},
    ]
    assert levels_of(pairs_of(rows)) == {"x": "pair", "never_varies": "user"}


def test_levels_of_categories_and_of_the_order_of_rows(training):
    expected = {
        "expected_buyers": "coupon",
        "profile_cosine": "pair",
        "user_age": "user",
        "noise": "pair",
        # one pair in ten has none
        "genre": "pair",
        "user_sex": "user",
    }
    assert levels_of(training) == expected
    order = np.random.default_rng(0).permutation(len(training))
    assert levels_of(training.take(order)) == expected


def test_levels_are_those_of_the_marts_that_features_come_from(sample_world, manifest):
    with open_warehouse(sample_world.database, read_only=True) as warehouse:
        weeks = [c.date for c in warehouse.cutoffs() if c.is_labelled]
        contract = read_contract(warehouse, weeks)
        pairs = read_training_set(warehouse, contract, weeks)
    of_keys = {
        ("cutoff_date", "user_id"): "user",
        ("coupon_id", "cutoff_date"): "coupon",
    }
    keys = {
        name: tuple(
            sorted(
                column["name"]
                for column in node["columns"].values()
                if column["config"]["meta"].get("role") == "key"
            )
        )
        for name, node in models(manifest).items()
    }
    expected = {
        feature.name: of_keys.get(keys.get(feature.mart, ()), "pair")
        for feature in features_of(manifest)
    }
    found = levels_of(pairs)
    columns = zip(
        contract.names,
        [*pairs.features.numeric.T, *pairs.features.codes.T],
        strict=True,
    )
    varies = {name for name, v in columns if len(np.unique(v)) > 1}
    assert {name: found[name] for name in varies} == {
        name: level for name, level in expected.items() if name in varies
    }
    assert len(varies) > 0.9 * len(contract.names)


# --- what is fitted


def test_the_softmax_loss_by_hand():
    scores = torch.tensor([0.0, 1.0, 2.0, 3.0, 5.0])
    bought = torch.tensor([0.0, 1.0, 1.0, 1.0, 0.0])
    first = np.log(np.exp([0, 1, 2]).sum()) - (1 + 2) / 2
    second = np.log(np.exp([3, 5]).sum()) - 3
    loss = branch_training.softmax_loss(scores, bought, [3, 2])
    assert float(loss) == pytest.approx((first + second) / 2)


def test_the_binary_loss_by_hand():
    scores, bought = torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0])
    expected = (np.log(2) + np.log(1 + np.e)) / 2
    loss = branch_training.binary_loss(scores, bought, [1, 1])
    assert float(loss) == pytest.approx(expected)


def test_an_unknown_loss_is_refused():
    with pytest.raises(ValueError, match="'hinge', not one of softmax, binary"):
        TwoBranchNetwork(loss="hinge")


@pytest.mark.parametrize("loss", two_branch.LOSSES)
def test_a_taste_that_only_the_product_tells_is_learned(loss):
    # users of either kind buy coupons of their own kind; neither alone says anything
    generator = np.random.default_rng(0)
    rows = []
    for user in range(150):
        taste = user % 2 * 2 - 1
        for coupon in range(10):
            kind = coupon % 2 * 2 - 1
            rows.append(
                {
                    "user": user,
                    "coupon": coupon,
                    "taste": taste,
                    "kind": kind,
                    "noise": generator.normal(),
                    "label": generator.random() < (0.4 if kind == taste else 0.05),
                }
            )
    model = TwoBranchNetwork(
        **SETTINGS | {"n_epochs": 15}, loss=loss, fit_probability=False
    )
    model.fit(pairs_of(rows))
    assert model.levels_ == {"taste": "user", "kind": "coupon", "noise": "pair"}
    probes = make_features(
        model.contract_,
        [{"taste": t, "kind": k, "noise": 0} for t in (-1, 1) for k in (-1, 1)],
    )
    own, other, other_too, own_too = model.ranking(probes)
    # the truth is log((0.4 / 0.6) / (0.05 / 0.95)) = 2.5
    assert own - other > 1.2
    assert own_too - other_too > 1.2


def test_indicators_times_folded_weights_are_vectors_looked_up(training):
    generator = np.random.default_rng(0)
    branch = branch_training.Branch(np.arange(1, 6), (3,), 2, (4, 1))
    part = branch_training._Perceptron(branch, 2, generator)
    inputs = torch.tensor(generator.normal(size=(3, 6)), dtype=torch.float32)
    inputs[:, 3:] = torch.eye(3)
    more = torch.tensor(generator.normal(size=(3, 2)), dtype=torch.float32)
    (first, first_bias), (last, last_bias) = part.layers()
    assert first.shape == (2 + 3 + 2, 4)
    # what stands before the first rectifier, with each category's vector looked up
    looked_up = torch.cat([inputs[:, 1:3], part.vectors[0], more], dim=1)
    before = (looked_up @ part.weights[0]).detach().numpy() + first_bias
    expected = np.maximum(before, 0) @ last + last_bias
    assert part(inputs, more).detach().numpy() == pytest.approx(expected, abs=1e-5)
    folded = np.hstack([inputs[:, 1:].numpy(), more.numpy()]) @ first + first_bias
    assert folded == pytest.approx(before, abs=1e-5)


def test_a_fit_does_not_depend_on_the_threads_that_others_count_on(training, model):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1 if before > 1 else 2)
        again = TwoBranchNetwork(**SETTINGS).fit(training)
        assert torch.get_num_threads() == (1 if before > 1 else 2)
    finally:
        torch.set_num_threads(before)
    expected = model.ranking(training.features).tobytes()
    assert again.ranking(training.features).tobytes() == expected


def test_a_fit_leaves_the_draws_of_others_alone(training):
    torch.manual_seed(5)
    expected = torch.rand(3).tolist()
    torch.manual_seed(5)
    TwoBranchNetwork(**SETTINGS | {"n_epochs": 1}).fit(training)
    assert torch.rand(3).tolist() == expected


@pytest.mark.parametrize("feature", ["near", "age", "price"])
def test_branches_without_features_say_the_same_of_everyone(feature, tmp_path):
    generator = np.random.default_rng(0)
    values = generator.random(60)
    rows = [
        {
            "user": user,
            "coupon": coupon,
            "label": coupon == user % 5,
            feature: {
                "near": values[user * 5 + coupon],
                "age": values[user],
                "price": values[coupon],
            }[feature],
        }
        for user in range(12)
        for coupon in range(5)
    ]
    pairs = pairs_of(rows)
    model = TwoBranchNetwork(**SETTINGS, calibration_share=0).fit(pairs)
    path = tmp_path / "model.json"
    save_model(model, path)
    expected = model.predict(pairs.features).tobytes()
    assert load_model(path).predict(pairs.features).tobytes() == expected


def test_more_networks_are_the_mean_of_single_ones(training, model):
    settings = SETTINGS | {"n_networks": 1, "fit_probability": False}
    scores = [
        TwoBranchNetwork(**settings, random_state=seed)
        .fit(training)
        .ranking(training.features)
        for seed in (0, 1)
    ]
    assert not np.allclose(*scores)
    networks = [network["pair"][0][0].tolist() for network in model.networks_]
    assert networks[0] != networks[1]
    first = TwoBranchNetwork(**settings).fit(training)
    assert first.networks_[0]["pair"][0][0].tolist() == networks[0]


# --- what a score is made of


def test_a_score_does_not_depend_on_the_place_of_its_row(model, training, monkeypatch):
    inputs = model.encoder_.transform(training.features)
    expected = model._log_odds(inputs)
    for shift in (1, 3, 17, 333):
        moved = model._log_odds(np.roll(inputs, shift, axis=0))
        assert np.roll(moved, -shift).tobytes() == expected.tobytes()
    for block_rows in (1, 7, 256):
        monkeypatch.setattr(encoding, "BLOCK_ROWS", block_rows)
        assert model.ranking(training.features).tobytes() == expected.tobytes()


def plain(layers: list, values: np.ndarray) -> np.ndarray:
    """Return the output of a perceptron, nothing rounded."""
    for number, (weights, bias) in enumerate(layers):
        values = np.maximum(values, 0) if number else values
        values = values @ weights + bias
    return values


def test_the_score_is_product_plus_perceptron(model, training):
    inputs = model.encoder_.transform(training.features).astype(np.float64)
    labels = np.array(model.encoder_.labels_)
    columns = {level: inputs[:, model.columns_[level]] for level in two_branch.LEVELS}
    assert set(labels[model.columns_["user"]]) == {
        *("user_age", "user_sex = female", "user_sex = male")
    }
    assert set(labels[model.columns_["coupon"]]) == {"expected_buyers"}
    scores = []
    for network in model.networks_:
        user = plain(network["user"], columns["user"])
        coupon = plain(network["coupon"], columns["coupon"])
        pair = plain(network["pair"], np.hstack([columns["pair"], user, coupon]))
        scores.append((user * coupon).sum(axis=1) + pair[:, 0])
    # rounding costs less than a ten-thousandth in log-odds
    assert model.ranking(training.features) == pytest.approx(
        np.mean(scores, axis=0), abs=1e-4
    )


def test_the_score_is_the_one_that_was_fitted(training):
    # one step without speed leaves the weights as they were drawn
    model = TwoBranchNetwork(
        **SETTINGS | {"learning_rate": 0.0, "n_networks": 1}, fit_probability=False
    )
    seen = []
    original = branch_training.score

    def recorded(parts, inputs):
        found = original(parts, inputs)
        seen.append((inputs.numpy(), found.detach().numpy()))
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(branch_training, "score", recorded)
        model.fit(training)
    for inputs, scores in seen:
        assert model._log_odds(inputs) == pytest.approx(scores, abs=1e-4)
    assert len(seen) > 3


def test_contributions_of_a_product_by_hand():
    # the user's vector is x1, the coupon's is 2 x2, the perceptron gives 3 x3. Against
    # the average (1, 1, 1) a user at 3 adds 2 times the mean of 2 and 8, the coupon's
    # vectors at 1 and at 4; the coupon adds 3 times 2 times the mean of 1 and 3
    model = TwoBranchNetwork(n_factors=1)
    model.center_ = np.ones(3, dtype=np.float32)
    model.columns_ = {level: np.array([i]) for i, level in enumerate(two_branch.LEVELS)}
    model.networks_ = [
        {
            "user": [(np.array([[1.0]]), np.array([0.0]))],
            "coupon": [(np.array([[2.0]]), np.array([0.0]))],
            "pair": [(np.array([[3.0], [0.0], [0.0]]), np.array([0.0]))],
        }
    ]
    inputs = np.array([[3, 4, 2], [1, 1, 1]], dtype=np.float32)
    assert model._slope(inputs)[0] == pytest.approx([5, 4, 3])
    by_column = (inputs - 1) * model._slope(inputs)
    assert by_column.tolist() == [[10, 12, 3], [0, 0, 0]]
    # 3 x 8 + 6 against 1 x 2 + 3
    assert model._log_odds(inputs).tolist() == [30, 5]


def test_contributions_sum_to_the_difference_to_the_average_pair(model, training):
    shares = model.ranking_contributions(training.features).sum(axis=1)
    average = model._log_odds(model.center_[None, :])
    assert shares == pytest.approx(model.ranking(training.features) - average, abs=1e-4)


def test_scoring_a_saved_model_needs_no_pytorch(model, training, tmp_path, monkeypatch):
    path = tmp_path / "model.json"
    save_model(model, path)
    assert json.loads(path.read_text(encoding="utf-8"))["name"] == "two_branch_network"
    expected = model.predict(training.features).tobytes()
    # the one file that needs it cannot be imported
    monkeypatch.setitem(sys.modules, "ml.models.branch_training", None)
    loaded = load_model(path)
    assert loaded.parameters() == model.parameters()
    assert loaded.predict(training.features).tobytes() == expected
    assert loaded.contract_ == CONTRACT
    with pytest.raises(ImportError):
        loaded.fit(training)
