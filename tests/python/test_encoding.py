"""The inputs of linear models against values worked out by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from build_features import CONTRACT, make_contract, make_features, make_training_set

from ml.models.encoding import BLOCK_ROWS, CLIP, LinearEncoder


def encode_column(fitted_on: list, transformed: list | None = None) -> np.ndarray:
    """Return the inputs of one numeric feature."""
    contract = make_contract(("x",))
    encoder = LinearEncoder().fit(
        make_features(contract, [{"x": x} for x in fitted_on])
    )
    rows = [{"x": x} for x in (fitted_on if transformed is None else transformed)]
    return encoder.transform(make_features(contract, rows))


# mean 2, variance (4 + 0 + 4) / 3: one step of 2 is sqrt(1.5) deviations
STEP = np.sqrt(1.5)


def test_values_are_standardised():
    assert encode_column([0, 2, 4])[:, 0] == pytest.approx([-STEP, 0, STEP])


def test_long_tailed_values_are_taken_as_logarithms():
    # log(1 + x) is 0, 2 and 4; 53.6 reaches beyond 20
    values = [0, np.expm1(2), np.expm1(4)]
    assert encode_column(values)[:, 0] == pytest.approx([-STEP, 0, STEP], rel=1e-5)


@pytest.mark.parametrize("values", [[-30, 0, 30], [0, 10, 20]])
def test_negative_or_short_tailed_values_are_taken_as_they_are(values):
    assert encode_column(values)[:, 0] == pytest.approx([-STEP, 0, STEP])


def test_long_tailed_rates_are_taken_as_logarithms_in_units_of_their_mean():
    # mean 0.01; the largest is 25 times as much: log(1 + x / 0.01) is 0 and log(26)
    rates = [0.0] * 20 + [0.01] * 4 + [0.96] + [0.0] * 75
    # the mean is 0.01: log(1 + x / 0.01) is 0, log(2) and log(97)
    inputs = encode_column(rates, [0.0, 0.01])[:, 0]
    logs = np.log1p(np.array(rates) / 0.01)
    expected = (np.array([0, np.log(2)]) - logs.mean()) / logs.std()
    assert inputs == pytest.approx(expected, rel=1e-4)


def test_a_negative_value_on_the_logarithmic_scale_counts_as_zero():
    inputs = encode_column([0, np.expm1(2), np.expm1(4)], [-3, 0])
    assert inputs[0, 0] == inputs[1, 0] == pytest.approx(-STEP)


def test_nulls_are_at_the_average_and_marked():
    # mean 2 and deviation 1 of the two values that are there
    assert encode_column([1, None, 3]).tolist() == [[-1, 0], [0, 1], [1, 0]]


@pytest.mark.parametrize(
    ("missing", "fill", "has_indicator"),
    [
        # 1, 1, 4 and 6: mean 3, deviation sqrt((4 + 4 + 1 + 9) / 4); median 2.5
        ("mean", 0, False),
        ("mean_and_indicator", 0, True),
        ("median", -0.5 / np.sqrt(4.5), False),
        ("median_and_indicator", -0.5 / np.sqrt(4.5), True),
    ],
)
def test_nulls_are_at_mean_or_median_with_or_without_a_mark(
    missing, fill, has_indicator
):
    contract = make_contract(("x",))
    features = make_features(contract, [{"x": x} for x in (1, 1, 4, 6, None)])
    encoder = LinearEncoder(missing=missing).fit(features)
    inputs = encoder.transform(features)
    assert inputs[4, 0] == pytest.approx(fill)
    assert inputs[3, 0] == pytest.approx(3 / np.sqrt(4.5))
    assert inputs[:, 1:].ravel().tolist() == [0, 0, 0, 0, 1] * has_indicator
    state = json.loads(json.dumps(encoder.state()))
    restored = LinearEncoder().restore(state, contract)
    again = restored.transform(features.take(slice(None)))
    assert again.tobytes() == inputs.tobytes()


def test_the_median_of_a_long_tail_is_that_of_the_logarithms():
    # logarithms 0, 1 and 5: mean 2, median 1, deviation sqrt((4 + 1 + 9) / 3)
    inputs = LinearEncoder(missing="median")
    features = make_features(
        make_contract(("x",)), [{"x": x} for x in (0, np.expm1(1), np.expm1(5), None)]
    )
    assert inputs.fit(features).transform(features)[3, 0] == pytest.approx(
        -1 / np.sqrt(14 / 3), rel=1e-5
    )


def test_a_column_without_values_has_no_median_and_adds_nothing():
    features = make_features(make_contract(("x",)), [{"x": None}, {"x": None}])
    inputs = LinearEncoder(missing="median").fit(features).transform(features)
    assert inputs.tolist() == [[0], [0]]


def test_an_unknown_filling_is_refused():
    with pytest.raises(ValueError, match="'mode', not one of mean_and_indicator"):
        LinearEncoder(missing="mode")


def test_a_null_where_training_had_none_is_only_at_the_average():
    assert encode_column([1, 3], [None, 3]).tolist() == [[0], [1]]


def test_a_column_of_nulls_or_of_one_value_adds_nothing():
    assert encode_column([None, None]).tolist() == [[0, 1], [0, 1]]
    assert encode_column([7, 7]).tolist() == [[0], [0]]


def test_values_far_off_are_clipped():
    assert encode_column([1, 3], [2 + 50, 2 - 50, 2 + 4])[:, 0].tolist() == [
        CLIP,
        -CLIP,
        4,
    ]


def test_categories_have_an_indicator_each_and_unknown_ones_none():
    contract = make_contract((), {"genre": ("food", "spa"), "sex": ("f", "m")})
    features = make_features(
        contract,
        [
            {"genre": "spa", "sex": "f"},
            {"genre": "food", "sex": "m"},
            {"genre": "never seen", "sex": None},
        ],
    )
    encoder = LinearEncoder().fit(features)
    assert encoder.labels_ == ["genre = food", "genre = spa", "sex = f", "sex = m"]
    assert encoder.transform(features).tolist() == [
        [0, 1, 1, 0],
        [1, 0, 0, 1],
        [0, 0, 0, 0],
    ]


def test_columns_are_numeric_then_nulls_then_categories():
    contract = make_contract(("x", "y"), {"genre": ("food",)})
    features = make_features(
        contract, [{"x": 1, "y": None, "genre": "food"}, {"x": 3, "y": 5}]
    )
    encoder = LinearEncoder().fit(features)
    assert encoder.labels_ == ["x", "y", "y is null", "genre = food"]
    assert encoder.sources_ == ["x", "y", "y", "genre"]
    assert encoder.transform(features).tolist() == [[-1, 0, 1, 1], [1, 0, 0, 0]]
    assert encoder.transform(features).dtype == np.float32


def test_columns_of_groups_include_null_marks_and_categories():
    encoder = LinearEncoder().fit(make_training_set().features)
    named = [encoder.labels_[i] for i in encoder.columns_of(("user",), CONTRACT)]
    assert named == ["user_age", "user_sex = female", "user_sex = male"]
    named = [encoder.labels_[i] for i in encoder.columns_of(("pair",), CONTRACT)]
    assert named == ["profile_cosine", "profile_cosine is null"]
    assert encoder.columns_of((), CONTRACT).tolist() == []


def test_a_restored_encoder_gives_the_same_bits():
    features = make_training_set().features
    encoder = LinearEncoder().fit(features)
    state = json.loads(json.dumps(encoder.state()))
    restored = LinearEncoder().restore(state, CONTRACT)
    # rows of their own, so that the cache does not answer
    again = restored.transform(features.take(slice(None)))
    assert again.tobytes() == encoder.transform(features).tobytes()
    assert restored.labels_ == encoder.labels_
    assert restored.sources_ == encoder.sources_


def test_blocks_are_the_inputs_in_order():
    features = make_training_set().features
    encoder = LinearEncoder().fit(features)
    blocks = list(encoder.blocks(features))
    assert [rows.start for rows, _ in blocks[:2]] == [0, BLOCK_ROWS]
    assert len(blocks) == -(-len(features) // BLOCK_ROWS) > 1
    joined = np.concatenate([block for _, block in blocks])
    assert joined.tobytes() == encoder.transform(features).tobytes()


@pytest.mark.parametrize("missing", ["mean_and_indicator", "median"])
def test_chosen_rows_are_encoded_like_a_copy_of_them(missing):
    features = make_training_set().features
    # in no order, more than one block of them
    rows = np.random.default_rng(1).permutation(len(features))[: BLOCK_ROWS + 10]
    encoder = LinearEncoder(missing=missing).fit(features, rows)
    copy = features.take(rows)
    of_copy = LinearEncoder(missing=missing).fit(copy)
    assert encoder.state() == of_copy.state()
    assert encoder.state() != LinearEncoder(missing=missing).fit(features).state()
    inputs = encoder.transform(features, rows)
    assert inputs.tobytes() == of_copy.transform(copy).tobytes()
