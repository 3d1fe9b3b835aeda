"""Looking, then buying: two steps on pairs whose leaves are worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from build_features import make_contract, make_features, make_training_set
from scipy.special import expit
from small_models import small
from test_trees import ONE_TREE

from ml import fitting
from ml.models.funnel import Funnel, _WeightedTrees
from ml.pairs import TrainingSet
from ml.warehouse import WarehouseError

ONE_SPLIT = {
    k: v
    for k, v in ONE_TREE.items()
    if k not in ("calibration_share", "fit_probability")
}
CONTRACT = make_contract(("seen_often", "liked"))


def make_funnel() -> Funnel:
    """Return a funnel of one split each, without a curve."""
    return Funnel(ONE_SPLIT, ONE_SPLIT, calibration_share=0, fit_probability=False)


def training_of(pairs: list[tuple[float, float, int, int]]) -> TrainingSet:
    """Return pairs of one user: seen_often, liked, whether viewed, whether bought."""
    seen_often, liked, viewed, bought = zip(*pairs, strict=True)
    n = len(pairs)
    return TrainingSet(
        make_features(
            CONTRACT,
            [
                {"seen_often": often, "liked": like}
                for often, like in zip(seen_often, liked, strict=True)
            ],
        ),
        np.array(bought, dtype=bool),
        np.ones(n),
        np.full(n, np.datetime64("2012-06-10")),
        np.zeros(n, dtype=np.int32),
        np.arange(n, dtype=np.int32),
        np.array(viewed, dtype=bool),
    )


@pytest.fixture
def training() -> TrainingSet:
    # of ten that are seen often eight are viewed, of ten others two; of the viewed ones
    # four of five are bought if they are liked, one of five if not
    return training_of(
        [
            *[(1, 1, 1, 1)] * 3,
            *[(1, 1, 1, 0)] * 1,
            *[(1, 0, 1, 1)] * 1,
            *[(1, 0, 1, 0)] * 3,
            *[(1, 0, 0, 0), (1, 1, 0, 0)],
            *[(0, 1, 1, 1), (0, 0, 1, 0)],
            *[(0, 0, 0, 0), (0, 1, 0, 0)] * 4,
        ]
    )


def test_the_ranking_is_the_log_of_both_steps(training):
    model = make_funnel().fit(training)
    cases = [
        {"seen_often": often, "liked": like} for often in (0, 1) for like in (0, 1)
    ]
    # a Newton step from even odds: (5 - 8) / 2.5 in the first, (2.5 - 4) / 1.25 in the
    # second; both halves are each other's mirror image
    step = {0: expit(-1.2), 1: expit(1.2)}
    expected = [np.log(step[often] * step[like]) for often in (0, 1) for like in (0, 1)]
    assert model.ranking(make_features(CONTRACT, cases)) == pytest.approx(
        expected, abs=1e-6
    )


def test_each_step_credits_what_it_goes_by(training):
    model = make_funnel().fit(training)
    features = make_features(CONTRACT, [{"seen_often": 1, "liked": 0}])
    # from even odds in both steps, log P = log 1/2, to those of the pair
    assert model.ranking_contributions(features) == pytest.approx(
        np.array([[np.log(expit(1.2) / 0.5), np.log(expit(-1.2) / 0.5)]]), abs=1e-5
    )
    assert ("view: seen_often", "all", 1.0) in model.coefficients()
    assert ("purchase: liked", "all", 1.0) in model.coefficients()


def test_what_is_not_bought_counts_by_its_weight(training):
    # with nothing to split on the steps are the odds of the weighted pairs
    alike = replace(
        training, features=make_features(CONTRACT, [{"liked": 1}] * len(training))
    )
    model = make_funnel()
    model.contract_ = CONTRACT
    rows = np.arange(len(alike))
    model.fit_ranking(alike, rows, np.where(alike.label, 1.0, 3.0))
    view, purchase = model.steps_
    # viewed: 5 bought, 5 others by 3; not viewed: 10 by 3
    first = make_features(CONTRACT, [{"liked": 1}])
    assert view.ranking(first) == pytest.approx([np.log(20 / 30)], abs=1e-6)
    assert purchase.ranking(first) == pytest.approx([np.log(5 / 15)], abs=1e-6)


def test_a_step_may_count_earlier_weeks_less(training):
    training = replace(training, cutoff=training.cutoff.copy())
    half = len(training) // 2
    training.cutoff[:half] = np.datetime64("2012-06-03")
    training.cutoff[half:] = np.datetime64("2012-06-10")
    step = _WeightedTrees(half_life_weeks=1)
    # as many pairs in either week: 1 and 2 by 1 and 3, on average 1
    weight = np.tile([1.0, 3.0], half)
    expected = np.repeat([1.0, 2.0], half) * weight / 3
    assert step.weights(training.cutoff, weight) == pytest.approx(expected)


def test_without_a_visit_log_it_says_what_is_missing():
    training = replace(make_training_set(), viewed=None)
    with pytest.raises(WarehouseError, match="no visit log: add coupon_visit_train"):
        small("funnel").fit(training)


@pytest.mark.parametrize("viewed", [1, 0])
def test_a_step_without_two_outcomes_is_one_sentence(training, viewed):
    seen = np.ones(len(training), dtype=bool) if viewed else training.label
    with pytest.raises(WarehouseError, match="nothing to learn from"):
        make_funnel().fit(replace(training, viewed=seen))


def test_it_is_left_out_where_nothing_was_logged(monkeypatch, capsys):
    monkeypatch.setattr(fitting, "has_views", lambda _: False)
    without = fitting.possible_models(None)
    assert "funnel is left out: the data have no visit log" in capsys.readouterr().err
    monkeypatch.setattr(fitting, "has_views", lambda _: True)
    assert set(fitting.possible_models(None)) - set(without) == {"funnel"}
    assert not capsys.readouterr().err
