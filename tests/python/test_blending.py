"""Which models are blended: each week is predicted from the weeks before it alone."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from ml import blending
from ml.blending import ScoredWeek, blending_weeks, choose_blend, score_weeks
from ml.warehouse import Cutoff, open_warehouse

N_BUYERS = 40
#: Probabilities of the three coupons of users of type "x" and "y", who buy the first.
FIRST = {"x": [0.3, 0.2, 0.1], "y": [0.2, 0.24, 0.1]}
SECOND = {"x": [0.2, 0.28, 0.1], "y": [0.3, 0.2, 0.1]}
WRONG = {"x": [0.1, 0.2, 0.3], "y": [0.1, 0.2, 0.3]}
HALF = "xy" * (N_BUYERS // 2)


def sunday(number: int) -> dt.date:
    return dt.date(2012, 1, 1) + dt.timedelta(weeks=number)


def choose(models: dict[str, dict], users: str) -> blending.ChosenBlend:
    """Blend models on two weeks alike, in which each user buys the first coupon."""
    labels = np.zeros((len(users), 3), dtype=bool)
    labels[:, 0] = True
    scores = {
        name: np.array([of_type[user] for user in users], dtype=np.float32)
        for name, of_type in models.items()
    }
    user_ids = np.arange(len(users), dtype=np.int32)
    week = ScoredWeek(sunday(0), user_ids, labels, scores, {})
    # as many again are registered and buy nothing
    return choose_blend([week, week], 2 * len(users))


def test_models_that_make_up_for_each_other_are_blended():
    found = choose({"one": FIRST, "wrong": WRONG, "two": SECOND}, HALF)
    # alone each puts the coupon first for half of the buyers, second for the others:
    # 3/4 of the buyers, who are half of the users; third for all: 1/3 of one half
    assert found.mean_map_at_10 == {
        "one": pytest.approx(3 / 8),
        "two": pytest.approx(3 / 8),
        "wrong": pytest.approx(1 / 6),
    }
    # both together: 0.5 against 0.48 for x, 0.5 against 0.44 for y; more can't be won
    assert found.weights == {"one": 1 / 2, "two": 1 / 2}
    assert found.blend_map_at_10 == pytest.approx(1 / 2)
    assert found.is_surely_better


def test_a_gain_that_may_be_chance_is_no_sure_gain():
    # one user of forty gains: a third of all bootstrap samples are without it
    found = choose({"one": FIRST, "two": SECOND}, "x" * (N_BUYERS - 1) + "y")
    assert set(found.weights) == {"one", "two"}
    assert found.blend_map_at_10 > found.mean_map_at_10["one"]
    assert not found.is_surely_better


def test_a_model_that_helps_nobody_stays_out():
    found = choose({"wrong": WRONG, "one": FIRST}, "x" * N_BUYERS)
    assert found.weights == {"one": 1.0}
    assert found.blend_map_at_10 == found.mean_map_at_10["one"] == pytest.approx(1 / 2)
    assert not found.is_surely_better


def test_a_member_that_is_hardly_missed_is_left_out():
    # by it one buyer of 200 has the coupon first and not second, which adds a half
    found = choose({"one": FIRST, "two": SECOND}, "x" * 199 + "y")
    assert found.weights == {"one": 1.0}
    assert found.blend_map_at_10 == pytest.approx(199.5 / 200 / 2)
    # a gain of 19 buyers is no chance, and left out as well
    found = choose({"one": FIRST, "two": SECOND}, "x" * 1981 + "y" * 19)
    assert found.weights == {"one": 1.0}
    assert not found.is_surely_better
    # three of 200
    found = choose({"one": FIRST, "two": SECOND}, "x" * 197 + "yyy")
    assert set(found.weights) == {"one", "two"}
    assert found.blend_map_at_10 == pytest.approx(1 / 2)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # the fewest that keep 99.5 % of the best, the better one of equally many
        ({"abcd": 1.0, "abc": 0.995, "abd": 0.996, "ab": 0.9949, "a": 0.9}, "abd"),
        # of the best there is, be it of all models or of some
        ({"abcd": 0.99, "abc": 1.0, "ab": 0.9945, "a": 0.9}, "abc"),
        ({"abcd": 1.0, "ab": 0.995, "a": 0.9949}, "ab"),
        # no blend that is behind a single model, but that model alone
        ({"abcd": 0.501, "ab": 0.4995, "a": 0.5}, "a"),
        ({"abcd": 0.5, "ab": 0.4995, "a": 0.497}, "ab"),
    ],
)
def test_what_is_kept_is_a_share_of_the_best_blend(values, expected, monkeypatch):
    monkeypatch.setattr(blending, "_precision", lambda weeks, members: members)
    monkeypatch.setattr(
        blending,
        "_by_week",
        lambda members, n_users: [values.get("".join(members), 0.4)],
    )
    monkeypatch.setattr(blending, "_is_surely_better", lambda *_: True)
    found = choose(dict.fromkeys("abcd", FIRST), "x" * N_BUYERS)
    assert found.weights == dict.fromkeys(expected, 1 / len(expected))
    assert found.blend_map_at_10 == values[expected]
    assert found.mean_map_at_10 == {name: values.get(name, 0.4) for name in "abcd"}


def test_the_last_selection_weeks_with_enough_before_are_predicted():
    def cutoffs(n_selection: int, n: int = 20, unlabelled: int = -1) -> list[Cutoff]:
        return [
            Cutoff(sunday(i), i != unlabelled, i < n_selection, 9) for i in range(n)
        ]

    assert blending_weeks(cutoffs(15)) == [sunday(i) for i in range(7, 15)]
    assert blending_weeks(cutoffs(5)) == [sunday(i) for i in (2, 3, 4)]
    assert blending_weeks(cutoffs(5, unlabelled=3)) == [sunday(2), sunday(4)]
    assert blending_weeks(cutoffs(2)) == []


class Remembers:
    """A model that scores each pair by the last week that it learned from."""

    def fit(self, training):
        """Take the latest cutoff."""
        self.weeks = np.unique(training.cutoff)
        return self

    def predict_in_chunks(self, features):
        """Return a probability that tells the number of weeks."""
        return np.full(len(features), len(self.weeks) / 100, np.float32)


def test_a_week_is_predicted_by_models_fitted_on_the_weeks_before(
    sample_world, monkeypatch
):
    fitted = []

    def build(name, parameters, random_state):
        fitted.append(Remembers())
        return fitted[-1]

    monkeypatch.setattr(blending, "build", build)
    with open_warehouse(sample_world.database, read_only=True) as warehouse:
        selection = [c.date for c in warehouse.cutoffs() if c.is_selection]
        weeks = selection[-2:]
        found = score_weeks(warehouse, weeks, {"one": ("cosine", {})}, 0)
        bought = warehouse.rows(
            "select cutoff_date, count(distinct user_id) from ml.training_pairs "
            "where label and cutoff_date in (?, ?) group by all order by all",
            weeks,
        )
    for model, week in zip(fitted, weeks, strict=True):
        assert [day for day in selection if day < week] == model.weeks.tolist()
    for scored, model in zip(found, fitted, strict=True):
        assert scored.labels.any(axis=1).all()
        assert scored.scores["one"].shape == scored.labels.shape
        assert scored.scores["one"].dtype == np.float32
        expected = len(model.weeks) / 100
        assert scored.scores["one"] == pytest.approx(expected, rel=1e-6)
        assert scored.fit_seconds["one"] >= 0
    assert [(s.cutoff, len(s.user_ids)) for s in found] == bought
