"""The monitor: what it prints, and the code with which it ends."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from ml.monitor import ALARMED
from ml.warehouse import open_warehouse


@pytest.fixture
def watched(trained_world, tmp_path):
    """A copy of the trained world, in which a test may put alarms."""
    copy = tmp_path / "watched.duckdb"
    shutil.copy(trained_world.database, copy)
    return replace(trained_world, database=copy)


def put_alarms(world, rows: str) -> None:
    """Put a table of the given rows in the place of the view of alarms."""
    with open_warehouse(world.database) as warehouse:
        kept = "create table kept as select * from reporting.alarms where false"
        warehouse.rows(kept)
        warehouse.rows("drop view reporting.alarms")
        warehouse.rows("create table reporting.alarms as select * from kept")
        warehouse.rows("drop table kept")
        if rows:
            warehouse.rows(f"insert into reporting.alarms values {rows}")


def test_silence_ends_with_0(watched):
    put_alarms(watched, "")
    done = watched.python("-m", "ml.monitor", "--cutoff", "2012-06-17")
    assert done.stdout == "no alarms at 2012-06-17\n"


def test_alarms_end_with_3_and_say_what_to_do(watched):
    put_alarms(
        watched,
        "('2012-06-17', 'null_share', 'distance_km', '2012-06-10', 0.5, -0.2, 0.2, "
        "'look'), ('2012-06-17', 'score_level', 'lists', '2012-06-17', 0.25, 0.5, 2, "
        "'train'), ('2012-06-10', 'null_share', 'user_age', '2012-06-10', 0.5, -0.2, "
        "0.2, 'look')",
    )
    done = watched.python("-m", "ml.monitor", "--cutoff", "2012-06-17", check=False)
    assert done.returncode == ALARMED == 3
    assert done.stdout.splitlines() == [
        "2 alarms at 2012-06-17 (reporting.alarms)",
        "  alarm        subject      figure  limit      since",
        "  null_share   distance_km  0.5     above 0.2  2012-06-10",
        "  score_level  lists        0.25    below 0.5  2012-06-17",
        "what to do",
        "  null_share: look",
        "  score_level: train",
    ]


def test_a_day_that_is_no_cutoff_ends_with_1(watched):
    done = watched.python("-m", "ml.monitor", "--cutoff", "2012-06-18", check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: 2012-06-18 is no cutoff in use: ")


def test_a_warehouse_without_alarms_is_built_first(watched):
    with open_warehouse(watched.database) as warehouse:
        warehouse.rows("drop view reporting.alarms")
    done = watched.python("-m", "ml.monitor", check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "error: reporting.alarms is not there yet: run `dbt build`.\n"
    )
