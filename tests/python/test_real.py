"""The whole way on the competition's real files (PONPARE_REAL_DIR)."""

from __future__ import annotations

import csv
import shutil

import duckdb
import pytest
from warehouses import World

from ml.judged import selection_weeks
from ml.warehouse import open_warehouse

pytestmark = [pytest.mark.full, pytest.mark.real]

CUTOFF = "2012-06-10"


@pytest.fixture(scope="module")
def trained_world(real_world, tmp_path_factory) -> World:
    """Real marts after scoring the test week, measured on the last labelled week."""
    world = World(
        real_world.data_dir, tmp_path_factory.mktemp("trained") / "real.duckdb"
    )
    shutil.copy(real_world.database, world.database)
    world.python("-m", "ml.train")
    return world


def rows(world: World, query: str) -> list[tuple]:
    with duckdb.connect(str(world.database), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_every_data_test_passes(real_world):
    done = real_world.dbt("test", "--exclude-resource-type", "unit_test")
    assert "ERROR=0" in done.stdout
    assert "WARN=0" in done.stdout


def test_published_counts_are_met(real_world):
    """Counts that the competition's data page and forum state."""
    assert rows(
        real_world,
        "select (select count(*) from core.dim_users), "
        "(select count(*) from core.dim_coupons where not is_test_list), "
        "(select count(*) from core.dim_coupons where is_test_list), "
        "(select count(*) from core.bridge_coupon_areas), "
        "(select count(*) from reporting.untranslated_values)",
    ) == [(22873, 19413, 310, 138185 + 2165, 0)]
    assert rows(
        real_world,
        "select n_coupons from features.cutoffs "
        f"where cutoff_date in ('{CUTOFF}', '2012-06-24') order by cutoff_date",
    ) == [(358,), (310,)]


def test_the_published_model_beats_both_baselines(trained_world):
    differences = rows(
        trained_world,
        "select slice, low from ml.model_metrics inner join ml.model_runs "
        "using (run_id, model_name) where metric = 'map_at_10_difference' "
        "and is_default and slice in ('to_cosine', 'to_popularity') "
        f"and evaluated_cutoff_date = '{CUTOFF}' order by slice",
    )
    assert [name for name, _ in differences] == ["to_cosine", "to_popularity"]
    assert all(low > 0 for _, low in differences)


def test_settings_are_searched_on_selection_weeks_only(real_world):
    with open_warehouse(real_world.database, read_only=True) as warehouse:
        fitted_on, judged_on = selection_weeks(warehouse.cutoffs())
    assert [str(day) for day in judged_on] == [
        *("2012-03-18", "2012-03-25", "2012-04-01", "2012-04-08")
    ]
    assert max(fitted_on) < judged_on[0]


def test_the_submission_has_the_form_of_the_sample(trained_world, tmp_path):
    out = tmp_path / "submission.csv"
    trained_world.python("-m", "ml.submission", "--out", str(out))
    with out.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len({line["USER_ID_hash"] for line in lines}) == 22873
    assert all(len(set(line["PURCHASED_COUPONS"].split())) == 10 for line in lines)
