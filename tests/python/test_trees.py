"""Boosted trees on pairs for which a leaf's value is worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import lightgbm as lgb
import numpy as np
import pytest
from build_features import CONTRACT, make_contract, make_features, make_training_set
from small_models import SMALL

from ml.models import trees
from ml.models.sampling import buyer_weeks
from ml.models.trees import BinaryTrees, RankingTrees
from ml.pairs import Features, TrainingSet

ONE_TREE = {
    "n_trees": 1,
    "learning_rate": 1.0,
    "num_leaves": 2,
    "min_leaf_rows": 1,
    "l2": 0.0,
    "feature_share": 1.0,
    "row_share": 1.0,
    "calibration_share": 0.0,
    "fit_probability": False,
}


def training_of(rows: list[dict], label: list[int], contract) -> TrainingSet:
    """Return pairs of one user in one week."""
    n = len(rows)
    return TrainingSet(
        make_features(contract, rows),
        np.array(label, dtype=bool),
        np.ones(n),
        np.full(n, np.datetime64("2012-06-10")),
        np.zeros(n, dtype=np.int32),
        np.arange(n, dtype=np.int32),
    )


def ten_each(column: str, low, high, n_low: int, n_high: int) -> tuple[list, list]:
    """Return ten pairs with each value, and how many of each were bought."""
    rows = [{column: value} for value in [low] * 10 + [high] * 10]
    return rows, [1] * n_low + [0] * (10 - n_low) + [1] * n_high + [0] * (10 - n_high)


def test_one_split_has_the_values_of_a_newton_step():
    contract = make_contract(("price", "noise"))
    training = training_of(*ten_each("price", 1.0, 5.0, 2, 8), contract)
    model = BinaryTrees(**ONE_TREE).fit(training)
    ranking = model.ranking(training.features)
    # half of all were bought: the root is 0 in log-odds, every gradient 0.5 - label and
    # every second derivative 0.25. Ten pairs with two bought: (5 - 2) / 2.5 below it
    assert ranking == pytest.approx(np.repeat([-1.2, 1.2], 10), abs=1e-6)
    shares = model.ranking_contributions(training.features)
    assert shares == pytest.approx(
        np.column_stack([np.repeat([-1.2, 1.2], 10), np.zeros(20)]), abs=1e-6
    )
    assert model.coefficients() == [("price", "all", 1.0), ("noise", "all", 0.0)]


@pytest.mark.parametrize(
    ("half_life_weeks", "high"), [(None, 0.0), (4, 2 / 3), (2, 1.2)]
)
def test_earlier_weeks_count_less(half_life_weeks, high):
    # four weeks ago the cheap five were bought, now the dear five
    rows = [{"price": price} for price in [1.0] * 5 + [5.0] * 5] * 2
    label = [1] * 5 + [0] * 10 + [1] * 5
    training = training_of(rows, label, make_contract(("price",)))
    training.cutoff[:10] -= np.timedelta64(28, "D")
    model = BinaryTrees(**ONE_TREE, half_life_weeks=half_life_weeks).fit(training)
    # with weights of 2/3 and 4/3: half of all at the root, as in the test above; of the
    # dear ones 20/3 of 10 were bought, so (20/3 - 5) / 2.5. With 2/5 and 8/5: 8 of 10
    assert model.ranking(training.features) == pytest.approx(
        np.tile(np.repeat([-high, high], 5), 2), abs=1e-6
    )


@pytest.mark.parametrize("objective", ["lambdarank", "rank_xendcg"])
def test_a_ranking_follows_the_later_of_two_weeks(objective):
    rows = [{"price": price} for price in [1.0] * 5 + [5.0] * 5] * 2
    cheap, dear = [1] * 5 + [0] * 5, [0] * 5 + [1] * 5
    for label, is_dear_first in ((cheap + dear, True), (dear + cheap, False)):
        training = training_of(rows, label, make_contract(("price",)))
        training.cutoff[:10] -= np.timedelta64(28, "D")
        settings = ONE_TREE | {"objective": objective, "half_life_weeks": 1}
        model = RankingTrees(**settings).fit(training)
        of_cheap, *_, of_dear = model.ranking(training.features)
        assert of_cheap != of_dear
        assert (of_dear > of_cheap) == is_dear_first


def test_null_is_a_value_of_its_own():
    contract = make_contract(("days",))
    training = training_of(*ten_each("days", None, 1.0, 9, 1), contract)
    model = BinaryTrees(**ONE_TREE).fit(training)
    # (5 - 9) / 2.5 = -1.6: nine of ten pairs without a value were bought
    ranking = model.ranking(make_features(contract, [{"days": None}, {"days": 1.0}]))
    assert ranking == pytest.approx([1.6, -1.6], abs=1e-6)


def test_an_unknown_category_is_none_of_the_known_ones():
    contract = make_contract((), {"genre": ("food", "spa", "stay")})
    rows = [{"genre": genre} for genre in ["food"] * 10 + ["spa"] * 5 + ["stay"] * 5]
    # all others were bought as often: food alone is split off
    training = training_of(rows, [1] * 8 + [0] * 2 + [1, 0, 0, 0, 0] * 2, contract)
    model = BinaryTrees(**ONE_TREE | {"cat_smooth": 0.0}).fit(training)
    seen = make_features(contract, [{"genre": g} for g in ("food", "spa", "stay")])
    assert model.ranking(seen) == pytest.approx([1.2, -1.2, -1.2], abs=1e-6)
    unknown = make_features(contract, [{"genre": "wellness"}, {"genre": None}])
    assert model.ranking(unknown) == pytest.approx([-1.2, -1.2], abs=1e-6)
    assert model.ranking_contributions(unknown)[:, 0] == pytest.approx(
        [-1.2, -1.2], abs=1e-6
    )


def test_pairs_that_nothing_parts_make_a_tree_of_one_leaf():
    contract = make_contract(("price",))
    training = training_of([{"price": 1.0}] * 20, [1] * 5 + [0] * 15, contract)
    model = BinaryTrees(**ONE_TREE).fit(training)
    assert np.ptp(model.ranking(training.features)) == 0
    assert (model.ranking_contributions(training.features) == 0).all()


@pytest.fixture(scope="module")
def world() -> TrainingSet:
    return make_training_set()


@pytest.mark.parametrize(
    "model",
    [
        BinaryTrees(**SMALL["lightgbm_binary"]),
        RankingTrees(**SMALL["lightgbm_ranking"]),
        RankingTrees(**SMALL["lightgbm_ranking"] | {"objective": "lambdarank"}),
    ],
    ids=["binary", "xendcg", "lambdarank"],
)
def test_contributions_sum_to_the_score_minus_the_roots(model, world):
    model.fit(world)
    features = world.features
    roots = sum(
        tree["tree_structure"]["internal_value"]
        for tree in model.booster_.dump_model()["tree_info"]
    )
    shares = model.ranking_contributions(features)
    assert shares.sum(axis=1) == pytest.approx(
        model.ranking(features) - roots, abs=1e-4
    )
    # trees grow on several features, nulls and categories among them
    assert (np.abs(shares).max(axis=0) > 0).sum() >= 4
    again = type(model)(**model.parameters())
    again.restore(json.loads(json.dumps(model.state())))
    assert again.ranking_contributions(features).tobytes() == shares.tobytes()


@pytest.mark.parametrize("model_class", [BinaryTrees, RankingTrees])
def test_a_score_does_not_depend_on_what_is_known_of_the_pairs_coupons(
    model_class, world
):
    model = model_class(**SMALL[model_class.name]).fit(world)
    coupons = np.unique(world.coupon_id, return_inverse=True)[1]
    known = replace(world.features, coupons=coupons)
    # so that an order that is not undone would be seen
    assert (np.diff(coupons) < 0).any()
    scores = model.ranking(known)
    assert len(np.unique(scores)) > 20
    plain = replace(world.features, coupons=None)
    assert scores.tobytes() == model.ranking(plain).tobytes()


def test_paths_are_those_of_the_last_fit(world):
    model = BinaryTrees(**SMALL["lightgbm_binary"]).fit(world)
    model.contributions(world.features)
    contract = CONTRACT
    other = make_training_set(seed=5)
    expected = BinaryTrees(**SMALL["lightgbm_binary"]).fit(other)
    model.fit(other)
    assert model.contract_ == contract
    assert (
        model.contributions(other.features).tobytes()
        == expected.contributions(other.features).tobytes()
    )


@pytest.mark.parametrize("seed", [0, 2026])
@pytest.mark.parametrize("trees_of", [BinaryTrees, RankingTrees])
def test_trees_of_some_rows_are_those_of_a_matrix_of_them(monkeypatch, trees_of, seed):
    # more than the 200,000 that LightGBM looks at to find the bounds of its bins
    n_pairs, draws = 240_000, np.random.default_rng(0)
    numeric = draws.normal(size=(n_pairs, 3)).astype(np.float32)
    numeric[:, 0] = np.round(numeric[:, 0])
    numeric[draws.random((n_pairs, 3)) < 0.1] = np.nan
    # set in some fifty rows: too few for a leaf, but not for LightGBM's default
    numeric[:, 2] = draws.random(n_pairs) < 0.0002
    contract = make_contract(
        ("price", "rate", "flag"), {"genre": ("food", "hotel", "spa")}
    )
    codes = draws.integers(-1, 3, size=(n_pairs, 1))
    rows = np.flatnonzero(draws.random(n_pairs) < 0.9)
    assert len(rows) > 200_000
    taste = np.nan_to_num(numeric[:, 1]) + (codes[:, 0] == 1)
    first, second = (np.datetime64(f"2012-06-{day}") for day in ("03", "10"))
    training = TrainingSet(
        Features.of(contract, numeric, codes),
        label=taste + draws.normal(size=n_pairs) > 2,
        weight=np.ones(n_pairs),
        cutoff=np.repeat([first, second], n_pairs // 2),
        user_id=np.arange(n_pairs) // 100,
        coupon_id=np.arange(n_pairs) % 100,
    )

    def grown() -> str:
        model = trees_of(n_trees=3, max_bin=15, half_life_weeks=4, random_state=seed)
        model.contract_ = contract
        model.fit_ranking(training, rows, np.ones(len(rows)))
        return model.ranking_state()["booster"]

    of_rows = grown()
    monkeypatch.setattr(trees, "_Rows", lambda values, rows: values[rows])
    monkeypatch.setattr(trees, "_DatasetOfRows", lgb.Dataset)
    assert of_rows == grown()


def test_the_lists_of_a_ranking_are_the_buyers_weeks():
    training = training_of(
        [{"price": 1.0}] * 7, [0, 1] * 3 + [0], make_contract(("price",))
    )
    training.user_id[:] = [1, 1, 1, 2, 2, 2, 2]
    training.cutoff[5:] = np.datetime64("2012-06-17")
    everything = np.arange(7)
    # user 1; user 2 in the first week; user 2 in the second
    assert RankingTrees().groups(training, everything).tolist() == [3, 2, 2]
    # a week of which nothing is drawn is no list
    assert RankingTrees().groups(training, everything[[0, 2, 5]]).tolist() == [2, 1]
    assert BinaryTrees().groups(training, everything) is None


@pytest.mark.parametrize("objective", ["lambdarank", "rank_xendcg"])
def test_ranking_trees_put_what_a_buyer_bought_first(world, objective):
    settings = SMALL["lightgbm_ranking"] | {"objective": objective}
    model = RankingTrees(**settings).fit(world)
    fresh = make_training_set(seed=1)
    number, has_bought = buyer_weeks(fresh)
    score = model.ranking(fresh.features)
    buyers = np.unique(number[has_bought])
    right = [
        np.mean(score[of_user & fresh.label]) > np.mean(score[of_user & ~fresh.label])
        for of_user in (number == buyer for buyer in buyers)
        if (of_user & ~fresh.label).any()
    ]
    # by chance it would be half of them
    assert len(right) > 100
    assert np.mean(right) > 0.75
