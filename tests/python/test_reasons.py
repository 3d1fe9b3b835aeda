"""Reasons in words: true of the pair, and what raised its score."""

from __future__ import annotations

import numpy as np
import pytest
from build_features import make_contract, make_features

from ml.reasons import ReasonWriter
from ml.warehouse import Column

CONTRACT = make_contract(
    ("distance", "share", "silent", "discount", "popularity"), {"genre": ("food",)}
)
COLUMNS = [
    Column("user_id", "key", "", "integer", "", ""),
    Column("distance", "feature", "pair", "double", "close to home", "low"),
    Column("share", "feature", "pair", "double", "often bought", "high"),
    Column("silent", "feature", "pair", "double", "", ""),
    Column("discount", "feature", "coupon", "double", "large discount", "high"),
    Column("popularity", "feature", "popularity", "double", "popular", "high"),
    Column("genre", "feature", "coupon", "varchar", "", ""),
]
#: Averages of the training pairs, in the order of the contract.
AVERAGES = np.array([10.0, 0.5, 0.5, 50.0, 5.0])


class FakeModel:
    """A model whose contributions are given."""

    def __init__(self, contributions: list[list[float]]) -> None:
        self.contract_ = CONTRACT
        self.given = np.array(contributions, dtype=np.float32)

    def contributions(self, features):
        return self.given


def write(
    values: dict[str, float | None],
    contributions: dict[str, float],
    columns: list[Column] = COLUMNS,
) -> str | None:
    """Return the reasons of one pair."""
    given = [contributions.get(name, 0.0) for name in CONTRACT.names]
    writer = ReasonWriter(FakeModel([given]), columns, AVERAGES)
    (reason,) = writer.write(make_features(CONTRACT, [values])).to_pylist()
    return reason


def test_a_feature_that_raised_the_score_is_named():
    assert write({"share": 0.9}, {"share": 0.2}) == "often bought"


@pytest.mark.parametrize(("value", "expected"), [(0.9, "cheaper"), (1.1, None)])
def test_a_limit_in_the_contract_stands_for_the_average(value, expected):
    # the average, 10, would call both of them low
    columns = [Column("distance", "feature", "pair", "double", "cheaper", "low", 1.0)]
    assert write({"distance": value}, {"distance": 0.2}, columns) == expected


@pytest.mark.parametrize("contribution", [0.0, -0.2])
def test_a_feature_that_did_not_raise_the_score_is_not_named(contribution):
    assert write({"share": 0.9}, {"share": contribution}) is None


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        # a small distance is close, a large one is not, whatever the model makes of it
        ({"distance": 3}, "close to home"),
        ({"distance": 30}, None),
        ({"distance": 10}, None),
        ({"share": 0.6}, "often bought"),
        ({"share": 0.4}, None),
        ({"share": 0.5}, None),
        # of an unknown value nothing is true
        ({"distance": None, "share": None}, None),
    ],
)
def test_words_are_used_only_where_they_are_true(values, reason):
    assert write(values, {"distance": 0.3, "share": 0.2}) == reason


def test_the_strongest_come_first_and_no_more_than_three():
    values = {"distance": 1, "share": 0.9, "discount": 80, "popularity": 9}
    contributions = {"distance": 0.2, "share": 0.4, "discount": 0.1, "popularity": 0.3}
    assert write(values, contributions) == "often bought; popular; close to home"
    # what is not true makes room for the next
    untrue = values | {"popularity": 1}
    assert write(untrue, contributions) == "often bought; close to home; large discount"


def test_features_without_words_are_never_named():
    assert write({"silent": 9}, {"silent": 5.0, "genre": 5.0}) is None


def test_pairs_are_told_apart():
    given = [[0, 0.1, 0, 0, 0.2, 0], [0, 0, 0, 0, 0, 0], [0.1, 0, 0, 0, 0, 0]]
    values = {"distance": 1, "share": 0.9, "discount": 80, "popularity": 9}
    writer = ReasonWriter(FakeModel(given), COLUMNS, AVERAGES)
    assert writer.write(make_features(CONTRACT, [values] * 3)).to_pylist() == [
        "popular; often bought",
        None,
        "close to home",
    ]


def test_a_mart_without_words_gives_no_reasons():
    silent = [
        Column(c.name, c.role, c.feature_group, c.data_type, "", "") for c in COLUMNS
    ]
    assert write({"share": 0.9}, {"share": 0.2}, silent) is None


def lacking(values: dict[str, float | None], contributions: dict[str, float]) -> str:
    """Return what spoke against one pair."""
    given = [contributions.get(name, 0.0) for name in CONTRACT.names]
    writer = ReasonWriter(FakeModel([given]), COLUMNS, AVERAGES)
    (reason,) = writer.write_lacking(make_features(CONTRACT, [values])).to_pylist()
    return reason


@pytest.mark.parametrize(
    ("values", "contributions", "expected"),
    [
        ({"distance": 30}, {"distance": -0.2}, "close to home"),
        # true of the pair, or no harm to it
        ({"distance": 3}, {"distance": -0.2}, None),
        ({"distance": 30}, {"distance": 0.2}, None),
        # of an unknown value nothing is said
        ({"distance": None}, {"distance": -0.2}, None),
        (
            {"distance": 30, "share": 0.1, "silent": 0},
            {"distance": -0.2, "share": -0.3, "silent": -9},
            "often bought; close to home",
        ),
    ],
)
def test_what_speaks_against_a_pair_is_untrue_of_it_and_lowered_its_score(
    values, contributions, expected
):
    assert lacking(values, contributions) == expected


@pytest.mark.parametrize(
    ("at_most", "silent", "expected"),
    [
        (None, 7, "often bought"),
        (None, None, None),
        (4, 4, "often bought"),
        (4, 5, None),
        (4, None, None),
    ],
)
def test_words_may_need_another_feature(at_most, silent, expected):
    columns = [
        Column(
            *("share", "feature", "pair", "double", "often bought", "high"),
            reason_needs="silent",
            reason_needs_at_most=at_most,
        )
    ]
    values = {"share": 0.9, "silent": silent}
    assert write(values, {"share": 0.2}, columns) == expected


@pytest.mark.parametrize(
    ("contributions", "expected"),
    [
        # 0.2 + 0.2 is more than 0.3
        ({"share": 0.2, "popularity": 0.2, "discount": 0.3}, "liked; large discount"),
        # what one raised the other took away
        ({"share": 0.2, "popularity": -0.3, "discount": 0.3}, "large discount"),
    ],
)
def test_features_with_the_same_words_count_together(contributions, expected):
    columns = [
        Column("share", "feature", "pair", "double", "liked", "high"),
        Column("popularity", "feature", "pair", "double", "liked", "high"),
        Column("discount", "feature", "pair", "double", "large discount", "high"),
    ]
    values = {"share": 0.9, "popularity": 9, "discount": 80}
    assert write(values, contributions, columns) == expected


def test_words_that_one_feature_makes_true_are_not_lacking_by_another():
    columns = [
        Column("share", "feature", "pair", "double", "liked", "high"),
        Column("popularity", "feature", "pair", "double", "liked", "high"),
    ]
    given = [[0, -0.1, 0, 0, -0.2, 0]]
    writer = ReasonWriter(FakeModel(given), columns, AVERAGES)
    features = make_features(CONTRACT, [{"share": 0.9, "popularity": 1}])
    assert writer.write_lacking(features).to_pylist() == [None]
