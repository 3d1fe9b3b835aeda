"""A model notices that its features are others than those it has learned from."""

from __future__ import annotations

import datetime as dt
import json
import shutil

import duckdb
import numpy as np
import pytest
from build_features import make_contract, make_features, make_training_set
from warehouses import World

from ml.mart_values import WeekValues
from ml.models.popularity import Popularity
from ml.registry import load_saved, save_model
from ml.week import plan_week

WEEK = dt.date(2012, 6, 10)
NAMES = ("price", "rate")


def values_of(*pairs: tuple[float, float]) -> WeekValues:
    features = make_features(
        make_contract(NAMES), [dict(zip(NAMES, pair, strict=True)) for pair in pairs]
    )
    return WeekValues.of(features, WEEK)


def test_values_by_hand():
    found = values_of((1.0, np.nan), (3.0, np.nan), (np.nan, np.nan), (5.0, np.nan))
    assert found.known.tolist() == [0.75, 0.0]
    assert found.mean[0] == pytest.approx(3.0)
    assert found.deviation[0] == pytest.approx(np.sqrt(8 / 3))
    assert np.isnan([found.mean[1], found.deviation[1]]).all()
    assert found.differences(found, NAMES) == []


def test_a_hundredth_of_a_deviation_is_no_difference():
    # the deviation is 1
    learned = values_of((1.0, 7.0), (3.0, 7.0))
    assert learned.differences(values_of((1.009, 7.0), (3.009, 7.0)), NAMES) == []
    assert learned.differences(values_of((1.02, 7.0), (3.02, 7.0)), NAMES) == [
        "price had 2 on average and has 2.02"
    ]
    # what was the same everywhere has no deviation
    assert learned.differences(values_of((1.0, 7.1), (3.0, 7.1)), NAMES) == [
        "rate had 7 on average and has 7.1"
    ]
    lost = values_of((1.0, np.nan), (3.0, 7.0))
    assert learned.differences(lost, NAMES) == [
        "rate was known of 100% of the pairs and is of 50%"
    ]


def test_values_that_spread_further_or_are_rare_are_told():
    learned = values_of((-1.0, 100_100.0), (1.0, 100_102.0))
    wider = values_of((-1.5, 100_100.0), (1.5, 100_102.0))
    assert learned.differences(wider, NAMES) == [
        "price had 1 as its deviation and has 1.5"
    ]
    # the digits that differ are shown
    shifted = values_of((-1.0, 100_100.5), (1.0, 100_102.5))
    assert learned.differences(shifted, NAMES) == [
        "rate had 100101 on average and has 100101.5"
    ]
    flagged = values_of(*[(0.0, 1.0)] * 999, (1.0, 1.0))
    never = values_of(*[(0.0, 1.0)] * 1000)
    assert len(flagged.differences(never, NAMES)) == 1


def test_only_the_last_week_counts():
    training = make_training_set()
    last = training.cutoff.max()
    found = WeekValues.of_last_week(training)
    assert found.week == last.item()
    of_week = training.features.values[training.cutoff == last]
    assert found.mean == pytest.approx(np.nanmean(of_week.astype(float), axis=0))
    assert len(of_week) < len(training)


def test_values_come_back_from_a_model_file(tmp_path):
    training = make_training_set()
    model = Popularity().fit(training)
    learned = WeekValues.of_last_week(training)
    save_model(model, tmp_path / "model.json", last_week=learned)
    loaded = load_saved(tmp_path / "model.json").last_week
    assert loaded.to_dict() == learned.to_dict()
    save_model(model, tmp_path / "model.json")
    assert load_saved(tmp_path / "model.json").last_week is None


@pytest.fixture(scope="module")
def world(one_run_world, tmp_path_factory) -> World:
    """A world with one run, whose prices in the marts are told in other units."""
    database = tmp_path_factory.mktemp("changed") / "world.duckdb"
    shutil.copy(one_run_world.database, database)
    with duckdb.connect(str(database)) as connection:
        connection.execute(
            "update ml.training_pairs set discount_price_yen = 2 * discount_price_yen"
        )
    return World(one_run_world.data_dir, database)


def test_a_feature_that_means_something_else_is_refused(one_run_world, world):
    done = world.python("-m", "ml.score", check=False)
    assert done.returncode == 1
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("error: "))
    assert "was fitted on other values than ml.training_pairs now holds" in line
    assert "of the week from 2012-06-17 (discount_price_yen had " in line
    assert line.endswith("train again with `python -m ml.train`.")
    with duckdb.connect(str(world.database), read_only=True) as connection:
        query = "select model_file from ml.model_files"
        [(path,)] = connection.execute(query).fetchall()
    # whoever reads the file sees what it was then
    content = json.loads((world.project_dir / path).read_text(encoding="utf-8"))
    assert content["last_week"]["week"] == "2012-06-17"


@pytest.fixture(scope="module")
def without_a_feature(one_run_world, tmp_path_factory) -> World:
    """A world with one run, in whose marts a feature is missing by now."""
    database = tmp_path_factory.mktemp("without") / "world.duckdb"
    shutil.copy(one_run_world.database, database)
    with duckdb.connect(str(database)) as connection:
        connection.execute("alter table ml.training_pairs drop column saving_yen")
        connection.execute(
            "delete from ml.column_roles "
            "where mart_name = 'training_pairs' and column_name = 'saving_yen'"
        )
    return World(one_run_world.data_dir, database)


def test_the_weekly_job_fits_anew_where_the_marts_have_changed(
    one_run_world, world, without_a_feature, monkeypatch
):
    for changed in (one_run_world, world, without_a_feature):
        for name, value in changed.environment().items():
            monkeypatch.setenv(name, value)
        plan = plan_week(None, refit_after=4)
        assert (plan.reused is not None) == (changed is one_run_world)
    assert plan.reason.startswith("the marts changed since artifacts/")
