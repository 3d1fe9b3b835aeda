"""Scoring the whole grid of a week: every pair once, whatever thread scores it."""

from __future__ import annotations

import datetime as dt

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from build_features import make_contract

from ml import grid, settings
from ml.models.popularity import Popularity
from ml.pairs import Candidates
from ml.warehouse import Warehouse

CUTOFF = dt.date(2012, 6, 10)
CONTRACT = make_contract(("expected_buyers",))
CANDIDATES = Candidates(
    CUTOFF, np.arange(10, 50, dtype=np.int32), np.arange(100, 130, dtype=np.int32)
)


def buyers(user: np.ndarray, coupon: np.ndarray) -> np.ndarray:
    """What the mart holds for a pair: another number for each."""
    return ((user * 31 + coupon * 7) % 1009).astype(np.float64)


class Expected(Popularity):
    """Gives back its feature."""

    def predict(self, features):
        return features.column("expected_buyers").copy()


class Failing(Popularity):
    """Fails at the pair of the last user and the last coupon."""

    def predict(self, features):
        values = features.column("expected_buyers")
        if (values == buyers(np.array([49]), np.array([129]))).any():
            raise ArithmeticError("no number")
        return values.copy()


@pytest.fixture
def warehouse() -> Warehouse:
    """A warehouse with the pairs of one week, in no order."""
    user, coupon = (
        part.ravel() for part in np.meshgrid(CANDIDATES.user_ids, CANDIDATES.coupon_ids)
    )
    order = np.random.default_rng(0).permutation(len(user))
    pairs = pa.table(
        {
            "user_id": user[order],
            "coupon_id": coupon[order],
            "expected_buyers": buyers(user, coupon)[order],
        }
    )
    connection = duckdb.connect()
    connection.register("pairs", pairs)
    connection.execute("create schema ml")
    connection.execute(
        "create table ml.scoring_pairs as select date '2012-06-10' as cutoff_date, * "
        "from pairs"
    )
    return Warehouse(connection)


EXPECTED = buyers(CANDIDATES.user_ids[:, None], CANDIDATES.coupon_ids[None, :])


@pytest.mark.parametrize("batch_rows", [1, 7, 400, 5000])
def test_every_pair_gets_its_own_score_whatever_the_batches(
    warehouse, monkeypatch, batch_rows
):
    monkeypatch.setattr(grid, "BATCH_ROWS", batch_rows)
    found = grid.score_grid(warehouse, CONTRACT, CANDIDATES, [Expected()])
    np.testing.assert_array_equal(found.scores["popularity"], EXPECTED)
    assert found.predict_seconds["popularity"] > 0


@pytest.mark.parametrize("users", [[12], [10, 23, 49], []])
def test_chosen_users_only(warehouse, users):
    users = np.array(users, dtype=np.int32)
    found = grid.score_grid(warehouse, CONTRACT, CANDIDATES, [Expected()], users)
    assert found.candidates.shape == (len(users), 30)
    np.testing.assert_array_equal(found.scores["popularity"], EXPECTED[users - 10])


def test_a_model_that_fails_in_a_thread_fails_the_whole(warehouse, monkeypatch):
    monkeypatch.setattr(grid, "BATCH_ROWS", 100)
    with pytest.raises(ArithmeticError, match="no number"):
        grid.score_grid(warehouse, CONTRACT, CANDIDATES, [Failing()])


@pytest.mark.parametrize(
    "change",
    [
        "delete from ml.scoring_pairs where user_id = 20 and coupon_id = 105",
        "insert into ml.scoring_pairs from ml.scoring_pairs limit 1",
    ],
)
def test_a_lost_or_doubled_pair_is_an_error(warehouse, change):
    warehouse.rows(change)
    with pytest.raises(RuntimeError, match=r"expected 1,200: .*lost or doubled"):
        grid.score_grid(warehouse, CONTRACT, CANDIDATES, [Expected()])


def test_the_engine_keeps_its_limit_when_it_gives_memory_back(warehouse, monkeypatch):
    monkeypatch.setenv("PONPARE_ML_MEMORY", "700MB")
    limit = "select current_setting('memory_limit')"
    warehouse.rows(f"set memory_limit = '{settings.memory_limit()}'")
    before = warehouse.rows(limit)
    warehouse.release_memory()
    assert warehouse.rows(limit) == before
