"""Which pairs the ranking learns from, which the curve, and what they weigh."""

from __future__ import annotations

import numpy as np
import pytest
from build_features import make_contract, make_features, make_training_set

from ml.models import ranked
from ml.models.curve import ProbabilityCurve
from ml.models.ranked import RankedModel
from ml.models.sampling import buyer_weeks, held_out, recency_weights
from ml.pairs import TrainingSet


def test_whole_weeks_of_buyers_are_held_out():
    # five weeks of users: 3, 2, 3, 1 and 1 pairs; nobody bought in the second
    number = np.array([0, 0, 0, 1, 1, 2, 2, 2, 3, 4])
    has_bought = number != 1
    assert held_out(number, has_bought, 0.0, 0).tolist() == [False] * 10
    assert held_out(number, has_bought, 1.0, 0).tolist() == has_bought.tolist()
    for seed in range(20):
        drawn = held_out(number, has_bought, 0.5, seed)
        assert not drawn[~has_bought].any()
        for week in range(5):
            assert len(set(drawn[number == week])) == 1
        assert drawn.tolist() == held_out(number, has_bought, 0.5, seed).tolist()
    assert len({held_out(number, has_bought, 0.5, s).tobytes() for s in range(20)}) > 5


def test_the_share_held_out_is_the_share_asked_for():
    number = np.repeat(np.arange(10_000), 2)
    drawn = held_out(number, np.ones(20_000, dtype=bool), 0.1, 0)
    # within four standard deviations of 1000 weeks: sqrt(10000 x 0.1 x 0.9) = 30
    assert drawn.sum() / 2 == pytest.approx(1_000, abs=120)


def test_a_weight_halves_with_each_half_life_before_the_last_week():
    days = np.array(["2012-06-10", "2012-05-27", "2012-05-13"], "datetime64[D]")
    # 1, 1/2 and 1/4, whose mean is 7/12
    expected = [12 / 7, 6 / 7, 3 / 7]
    assert recency_weights(days, 2.0) == pytest.approx(expected)
    assert recency_weights(days[:1], 2.0) == pytest.approx([1.0])


class Recorder(RankedModel):
    """A model that ranks nothing and remembers what it was shown."""

    name = "recorder"

    def __init__(self, calibration_share: float, max_rows: int = 10**6) -> None:
        self.calibration_share = calibration_share
        self.max_rows = max_rows
        self.fit_probability = True
        self.random_state = 0

    def fit_ranking(self, training, rows, weight):
        """Remember the pairs."""
        self.shown = training.take(rows)

    def ranking(self, features):
        """Return the first feature."""
        return features.numeric[:, 0].astype(np.float64)

    def ranking_contributions(self, features):
        """Return nothing."""
        return np.zeros(features.numeric.shape)

    def parameters(self):
        """Return nothing."""
        return {}

    def ranking_state(self):
        """Return nothing."""
        return {}

    def restore_ranking(self, state):
        """Take over nothing."""


@pytest.fixture
def of_curve(monkeypatch) -> dict:
    """What the curve was last fitted on."""
    seen = {}

    def fit(self, features, score, label, weight, rows):
        shown = features.take(rows)
        seen.update(features=shown, score=score, label=label, weight=weight)
        return self

    monkeypatch.setattr(ranked.ProbabilityCurve, "fit", fit)
    return seen


def keys_of(training: TrainingSet) -> set[tuple]:
    return set(
        zip(
            training.cutoff.tolist(),
            training.user_id.tolist(),
            training.coupon_id.tolist(),
            strict=True,
        )
    )


def test_the_curve_sees_buyers_that_the_ranking_has_not_seen(of_curve):
    training = make_training_set()
    _, has_bought = buyer_weeks(training)
    model = Recorder(calibration_share=0.3).fit(training)
    shown = keys_of(model.shown)
    buyers = keys_of(training.take(has_bought))
    # the ranking: buyers alone, and about 70 % of them
    assert shown < buyers
    assert len(shown) / len(buyers) == pytest.approx(0.7, abs=0.1)
    # the curve: everyone else, whom the ranking has not seen
    assert len(of_curve["label"]) == len(training) - len(shown)
    n_bought = training.label.sum() - model.shown.label.sum()
    assert of_curve["label"].sum() == n_bought
    # those kept back stand for all buyers: the weights sum to those of all pairs
    assert of_curve["weight"].sum() == pytest.approx(training.weight.sum())
    assert of_curve["score"].tolist() == of_curve["features"].numeric[:, 0].tolist()


def test_without_a_share_the_curve_sees_what_the_ranking_saw(of_curve):
    training = make_training_set()
    _, has_bought = buyer_weeks(training)
    model = Recorder(calibration_share=0.0).fit(training)
    assert keys_of(model.shown) == keys_of(training.take(has_bought))
    assert of_curve["weight"].tolist() == training.weight.tolist()


def test_too_few_buyers_are_not_split(of_curve):
    # one buyer: whoever is kept back, one of the two would see no purchase
    contract = make_contract(("expected_buyers",))
    training = TrainingSet(
        make_features(contract, [{"expected_buyers": i} for i in range(4)]),
        np.array([True, False, False, False]),
        np.ones(4),
        np.full(4, np.datetime64("2012-06-10")),
        np.array([1, 1, 2, 2], dtype=np.int32),
        np.arange(4, dtype=np.int32),
    )
    for share in (0.01, 0.99):
        model = Recorder(calibration_share=share).fit(training)
        assert model.shown.coupon_id.tolist() == [0, 1]
        assert of_curve["weight"].tolist() == [1, 1, 1, 1]


def test_without_a_curve_the_score_is_returned():
    training = make_training_set()
    model = Recorder(calibration_share=0.3)
    model.fit_probability = False
    model.fit(training)
    assert model.curve_ is None
    predicted = model.predict(training.features)
    assert predicted.tolist() == training.features.numeric[:, 0].tolist()
    restored = Recorder(0.3).restore(model.state())
    assert restored.predict(training.features).tobytes() == predicted.tobytes()
    model.fit_probability = True
    assert isinstance(model.fit(training).curve_, ProbabilityCurve)
