"""Which weeks are judged on, and which setting wins."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pytest

from ml.models import MODELS
from ml.search import (
    SEARCH_ONLY,
    SEARCH_SPACE,
    SearchResult,
    Trial,
    _choose,
    default_settings,
    parameters_text,
    split_weeks,
)
from ml.warehouse import Cutoff


def sunday(number: int) -> dt.date:
    return dt.date(2012, 1, 1) + dt.timedelta(weeks=number)


def weeks(n: int, selection: set[int], unlabelled: frozenset = frozenset()) -> list:
    """Return cutoffs 0 to n - 1, oldest first."""
    return [
        Cutoff(sunday(i), i not in unlabelled, i in selection, 100) for i in range(n)
    ]


def split(cutoffs: list[Cutoff]) -> tuple[list[int], list[int]]:
    """Return the numbers of the weeks to fit on and to judge on."""
    number = {cutoff.date: i for i, cutoff in enumerate(cutoffs)}
    fitting, validation = split_weeks(cutoffs)
    return [number[day] for day in fitting], [number[day] for day in validation]


def test_the_last_four_weeks_are_judged_on():
    assert split(weeks(10, set(range(10)))) == ([0, 1, 2, 3, 4, 5], [6, 7, 8, 9])


def test_only_selection_weeks_are_used():
    assert split(weeks(10, {0, 1, 2, 3, 4, 5, 6})) == ([0, 1, 2], [3, 4, 5, 6])


def test_unlabelled_weeks_are_never_used():
    assert split(weeks(8, set(range(8)), frozenset({6, 7}))) == ([0, 1], [2, 3, 4, 5])


def test_with_few_weeks_two_are_kept_to_fit_on():
    assert split(weeks(4, set(range(4)))) == ([0, 1], [2, 3])
    assert split(weeks(3, set(range(3)))) == ([0, 1], [2])


def test_too_few_selection_weeks_give_way_to_all_labelled_ones():
    assert split(weeks(6, {0, 1})) == ([0, 1], [2, 3, 4, 5])
    assert split(weeks(6, set(), frozenset({5}))) == ([0, 1], [2, 3, 4])


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_weeks_leave_none_to_judge_on(n):
    assert split(weeks(n, set(range(n)))) == (list(range(n)), [])


def test_no_week_is_both_fitted_and_judged_on():
    for n in range(12):
        for n_selection in range(n + 1):
            fitting, validation = split(weeks(n, set(range(n_selection))))
            assert not set(fitting) & set(validation)
            assert max(fitting, default=-1) < min(validation, default=n)


def test_without_a_search_every_model_has_its_defaults():
    found = default_settings()
    assert found.best_parameters == {name: {} for name in MODELS}
    assert found.best_model == "logistic_regression"
    assert found.trials == []


SETTINGS = {
    ("popularity", 1): {},
    ("cosine", 1): {},
    ("logistic_regression", 1): {"C": 0.001, "max_rows": 100, "max_iter": 60},
    ("logistic_regression", 2): {"C": 0.01, "max_rows": 100, "max_iter": 60},
    ("logistic_regression", 3): {"C": 0.1, "max_rows": 100, "max_iter": 60},
}


def choose(*found: tuple[str, int, list[float]]) -> SearchResult:
    """Choose from the MAP@10 of each setting in each week."""
    trials = [
        Trial(name, setting, SETTINGS[name, setting], sunday(week), value, 0.1)
        for name, setting, values in found
        for week, value in enumerate(values)
    ]
    return _choose(trials, SETTINGS)


def test_the_best_mean_over_the_weeks_wins():
    # means: 0.030, 0.020, then 0.035, 0.040 and 0.038; setting 3 has the best week
    found = choose(
        ("popularity", 1, [0.02, 0.04]),
        ("cosine", 1, [0.02, 0.02]),
        ("logistic_regression", 1, [0.03, 0.04]),
        ("logistic_regression", 2, [0.04, 0.04]),
        ("logistic_regression", 3, [0.016, 0.06]),
    )
    assert found.best_model == "logistic_regression"
    # settings of the search alone are not handed on
    assert found.best_parameters == {
        "popularity": {},
        "cosine": {},
        "logistic_regression": {"C": 0.01},
    }
    assert len(found.trials) == 10


def test_the_first_of_equal_settings_wins():
    found = choose(
        ("popularity", 1, [0.01]),
        ("cosine", 1, [0.01]),
        ("logistic_regression", 1, [0.02]),
        ("logistic_regression", 2, [0.03]),
        ("logistic_regression", 3, [0.03]),
    )
    assert found.best_parameters["logistic_regression"] == {"C": 0.01}


def test_a_baseline_wins_where_it_is_better():
    found = choose(
        ("popularity", 1, [0.03]),
        ("cosine", 1, [0.01]),
        ("logistic_regression", 1, [0.01]),
        ("logistic_regression", 2, [0.02]),
        ("logistic_regression", 3, [0.01]),
    )
    assert found.best_model == "popularity"
    assert found.best_parameters["logistic_regression"] == {"C": 0.01}


def test_the_search_tries_at_least_twenty_settings_that_the_model_takes():
    space = SEARCH_SPACE["logistic_regression"]
    assert np.prod([len(values) for values in space.values()]) >= 20
    assert set(SEARCH_ONLY) <= set(space)
    for name, values in SEARCH_SPACE.items():
        first = {key: options[0] for key, options in values.items()}
        assert set(first) <= set(MODELS[name](**first).parameters())


def test_parameters_are_written_in_the_order_of_their_names():
    text = parameters_text({"C": 0.1, "A": ("pair",)})
    assert text == '{"A": ["pair"], "C": 0.1}'
    assert json.loads(text) == {"A": ["pair"], "C": 0.1}
