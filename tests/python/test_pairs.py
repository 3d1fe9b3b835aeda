"""Arrow tables to matrices, and the contract between marts and models."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from decimal import Decimal

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from build_features import CONTRACT, make_contract, make_training_set

from ml import pairs
from ml.pairs import (
    MISSING_CODE,
    FeatureContract,
    encode,
    places_of,
    read_candidates,
    read_contract,
    read_pairs,
    stream_candidates,
)
from ml.warehouse import Warehouse, open_warehouse

MIXED = make_contract(
    ("whole", "real", "money", "flag"), {"genre": ("food", "spa"), "sex": ("f", "m")}
)
TABLE = pa.table(
    {
        "sex": pa.array(["m", "f", "x"]),
        "genre": pa.array(["spa", None, "hotel"]),
        "flag": pa.array([True, False, None]),
        "money": pa.array([Decimal("1.25"), None, Decimal("-0.50")]),
        "real": pa.array([0.1, None, float("nan")], pa.float64()),
        "whole": pa.array([None, 3, -4], pa.int64()),
        "not_a_feature": pa.array(["a", "b", "c"]),
    }
)
NUMERIC = np.array(
    [[np.nan, 0.1, 1.25, 1], [3, np.nan, np.nan, 0], [-4, np.nan, -0.5, np.nan]],
    dtype=np.float32,
)
CODES = [[1, 1], [MISSING_CODE, 0], [MISSING_CODE, MISSING_CODE]]


@pytest.mark.parametrize(
    "batch",
    [
        pytest.param(TABLE, id="table"),
        pytest.param(TABLE.to_batches()[0], id="batch"),
        pytest.param(pa.concat_tables([TABLE[:1], TABLE[1:]]), id="chunks"),
    ],
)
def test_columns_become_numbers_and_codes_in_the_contracts_order(batch):
    features = encode(batch, MIXED)
    assert features.numeric.dtype == np.float32
    assert features.codes.dtype == np.int16
    # booleans are 0 and 1, nulls NaN
    np.testing.assert_array_equal(features.numeric, NUMERIC)
    # null and unknown categories share one code
    assert features.codes.tolist() == CODES


def test_nothing_is_encoded_as_nothing():
    features = encode(TABLE[:0], MIXED)
    assert len(features) == 0
    assert features.numeric.shape == (0, 4)
    assert features.codes.shape == (0, 2)


def test_a_feature_without_known_categories_is_all_missing():
    contract = make_contract((), {"genre": ()})
    assert encode(TABLE, contract).codes.tolist() == [[MISSING_CODE]] * 3


def test_a_contract_survives_json():
    content = json.loads(json.dumps(CONTRACT.to_dict()))
    restored = FeatureContract.from_dict(content)
    assert restored == CONTRACT
    assert restored.names == CONTRACT.names
    assert restored.names == (
        "expected_buyers",
        "profile_cosine",
        "user_age",
        "noise",
        "genre",
        "user_sex",
    )


def test_features_are_taken_by_name_and_row():
    features = encode(TABLE, MIXED)
    assert features.column("money")[[0, 2]].tolist() == [1.25, -0.5]
    for rows in (slice(2, 3), np.array([2]), np.array([False, False, True])):
        taken = features.take(rows)
        assert taken.column("whole").tolist() == [-4]
        assert taken.codes.tolist() == CODES[2:]
        assert taken.contract is MIXED


def test_scores_are_read_beside_the_features_and_taken_with_the_rows():
    contract = FeatureContract(("real",), {}, {"real": "pair"}, scores=("whole",))
    features = encode(TABLE, contract)
    assert contract.names == ("real",)
    np.testing.assert_array_equal(features.score("whole"), np.float32([np.nan, 3, -4]))
    assert features.take(np.array([2, 1])).score("whole").tolist() == [-4, 3]


def test_rows_that_are_taken_keep_their_users_and_coupons():
    features = replace(
        encode(TABLE, MIXED), users=np.array([7, 8, 7]), coupons=np.array([1, 3, 5])
    )
    taken = features.take(np.array([2, 1]))
    assert (taken.users.tolist(), taken.coupons.tolist()) == ([7, 8], [5, 3])
    taken = encode(TABLE, MIXED).take(slice(0, 2))
    assert taken.users is taken.coupons is None


def test_what_is_read_once_is_what_the_mart_holds_of_every_pair(
    sample_world, monkeypatch
):
    """A user's features are the same for all coupons, a coupon's for all users."""
    monkeypatch.setattr(pairs, "USERS_AT_A_TIME", 100)
    with open_warehouse(sample_world.database, read_only=True) as warehouse:
        cutoff = warehouse.cutoffs()[-1].date
        contract = read_contract(warehouse, [cutoff])
        candidates = read_candidates(warehouse, cutoff)
        names = ", ".join(contract.columns)
        mart = warehouse.table(
            f"select {names} from ml.scoring_pairs "
            "inner join (select user_id, user_hash from core.dim_users) "
            "using (user_id) "
            "inner join (select coupon_id, coupon_hash from core.dim_coupons) "
            "using (coupon_id) where cutoff_date = ? order by user_hash, coupon_hash",
            [cutoff],
        )
        values = encode(mart, contract).values.reshape(*candidates.shape, -1)
        some = candidates.user_ids
        assert len(some) > 200
        for users in (None, some[[3, 0, -1]], some[:1], some[:0]):
            n_pairs = 0
            for rows, columns, features in stream_candidates(
                warehouse, contract, candidates, users, 700
            ):
                n_pairs += len(rows)
                assert (features.users == rows).all()
                assert (features.coupons == columns).all()
                np.testing.assert_array_equal(features.values, values[rows, columns])
            n_users = len(candidates.user_ids if users is None else users)
            assert n_pairs == n_users * len(candidates.coupon_ids)
        chosen = np.random.default_rng(0).random(candidates.shape) < 0.01
        rows, columns = np.nonzero(chosen)
        wanted = pa.table(
            {
                "user_id": candidates.user_ids[rows],
                "coupon_id": candidates.coupon_ids[columns],
            }
        )
        n_pairs = 0
        for keys, features in read_pairs(warehouse, contract, cutoff, wanted):
            n_pairs += keys.num_rows
            rows, columns = (
                places_of(ids, keys.column(key).to_numpy())
                for ids, key in (
                    (candidates.user_ids, "user_id"),
                    (candidates.coupon_ids, "coupon_id"),
                )
            )
            np.testing.assert_array_equal(features.values, values[rows, columns])
            assert chosen[rows, columns].all()
            chosen[rows, columns] = False
        # each of them once
        assert n_pairs == wanted.num_rows
        assert not chosen.any()
    assert min(len(contract.of_level(level)) for level in ("user", "coupon")) > 20


@pytest.mark.parametrize("mart", ["training_pairs", "profiled_pairs"])
def test_a_pair_has_the_same_features_whatever_it_is_read_for(sample_world, mart):
    """Samples sum up likeness for their pairs alone, scoring for all of them."""
    with open_warehouse(sample_world.database, read_only=True) as warehouse:
        cutoff = [cutoff.date for cutoff in warehouse.cutoffs() if cutoff.is_labelled][
            -1
        ]
        contract = read_contract(warehouse, [cutoff])
        of_sample, of_scoring = (
            ", ".join(f'{alias}."{name}"' for name in contract.columns)
            for alias in ("pairs", "scoring")
        )
        ((n_pairs, n_alike, n_like),) = warehouse.rows(
            "select count(*), count(*) filter "
            f"(where row({of_sample}) is not distinct from row({of_scoring})), "
            "count(*) filter (where pairs.coupon_likeness > "
            f"pairs.everybodys_coupon_likeness) from ml.{mart} as pairs "
            "inner join ml.scoring_pairs as scoring "
            "using (cutoff_date, user_id, coupon_id) where cutoff_date = ?",
            [cutoff],
        )
    assert n_pairs == n_alike
    assert n_like > 20


def test_a_newcomer_is_as_like_a_coupon_as_everybody(sample_world):
    with open_warehouse(sample_world.database, read_only=True) as warehouse:
        ((n_pairs, n_alike),) = warehouse.rows(
            "select count(*), count(*) filter (where "
            "abs(coupon_likeness - everybodys_coupon_likeness) < 1e-6) "
            "from ml.newcomer_pairs where cutoff_date = ?",
            [warehouse.cutoffs()[-1].date],
        )
    assert n_pairs == n_alike > 0


def test_the_tables_of_a_stream_are_joined_as_written():
    warehouse = Warehouse(duckdb.connect())
    warehouse.rows("create table few as select range as k from range(10)")
    warehouse.rows("create table many as select range % 10 as k from range(100000)")
    query = "explain select * from few inner join many using (k)"
    [streamed] = warehouse.stream(query)
    # of two tables the one on the right is hashed
    assert _tables(streamed) == ["few", "many"]
    # and the next query is planned as ever
    assert _tables(warehouse.table(query)) == ["many", "few"]


def _tables(explained: pa.RecordBatch | pa.Table) -> list[str]:
    [plan] = explained.column("explain_value").to_pylist()
    return re.findall(r"\b(few|many)\b", plan)


def test_training_rows_stay_together():
    training = make_training_set()
    taken = training.take(training.label)
    rows = np.flatnonzero(training.label)
    assert len(taken) == len(rows)
    for place in (0, -1):
        row = rows[place]
        assert taken.label[place]
        for name in ("weight", "cutoff", "user_id", "coupon_id"):
            assert getattr(taken, name)[place] == getattr(training, name)[row]
        np.testing.assert_array_equal(
            taken.features.numeric[place], training.features.numeric[row]
        )
