"""Clients that ask for lists: everyone's waits count, every door answers."""

from __future__ import annotations

import threading
import time

import duckdb
import pytest

from ml.serving_load import measure_door, measure_serving
from ml.warehouse import Warehouse, open_warehouse


def test_every_client_asks_until_the_time_is_over():
    asked_by: dict[int, int] = {}
    users: set[int] = set()

    def door(_: Warehouse, user_id: int) -> str:
        time.sleep(0.004)
        users.add(user_id)
        asked_by[threading.get_ident()] = asked_by.get(threading.get_ident(), 0) + 1
        return "a list"

    with duckdb.connect() as connection:
        load = measure_door(
            Warehouse(connection), "door", door, [3, 5, 9], n_clients=3, seconds=0.2
        )
    # the three questions before the clock starts are the main thread's
    assert asked_by.pop(threading.get_ident()) == 3
    assert len(asked_by) == 3
    assert load.n_queries == sum(asked_by.values())
    assert users == {3, 5, 9}
    assert 4 <= load.p50_ms <= load.p95_ms <= load.p99_ms
    assert load.queries_per_second <= load.n_queries / 0.2


def test_a_door_without_an_answer_is_an_error():
    with (
        duckdb.connect() as connection,
        pytest.raises(RuntimeError, match="the door has no list for user 7"),
    ):
        measure_door(Warehouse(connection), "door", lambda *_: None, [7], 1, 0.1)


def test_table_and_model_answer_many_clients(trained_world_in_use):
    with open_warehouse(trained_world_in_use.database, read_only=True) as warehouse:
        ((cutoff,),) = warehouse.rows(
            "select max(cutoff_date) from reporting.recommendations"
        )
        loads = measure_serving(warehouse, cutoff, clients=(3,), seconds=0.2)
    assert [(load.door, load.n_clients) for load in loads] == [
        ("table", 3),
        ("loaded model", 3),
    ]
    assert all(load.n_queries >= 3 for load in loads)
