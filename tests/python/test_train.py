"""Training end to end on sample data: what is published, and what a rerun changes."""

from __future__ import annotations

import csv
import datetime as dt
import shutil
from importlib import import_module

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from warehouses import World, build_marts, use_small_models

from ml import publish
from ml.models import MODELS
from ml.pairs import Candidates
from ml.warehouse import open_warehouse

LABELLED = "2012-06-10"
LATEST = "2012-06-24"
TRAINED = set(MODELS)


@pytest.fixture(scope="module")
def trained(sample_world, tmp_path_factory) -> World:
    """A warehouse after two runs: a labelled week, then the competition's own week."""
    world = World(
        sample_world.data_dir, tmp_path_factory.mktemp("trained") / "sample.duckdb"
    )
    shutil.copy(sample_world.database, world.database)
    world.python("-m", "ml.train", "--cutoff", LABELLED)
    world.python("-m", "ml.train")
    return world


def small_run(warehouse, cutoff: str, n_coupons: int = 1) -> publish.Run:
    """Return a run of one user that can be published."""
    ((user,),) = warehouse.rows("select min(user_id) from core.dim_users")
    coupons = [
        row[0]
        for row in warehouse.rows(
            "select coupon_id from core.dim_coupons order by all limit ?", [n_coupons]
        )
    ]
    day = dt.date.fromisoformat(cutoff)
    return publish.Run(
        run_id=f"test-{cutoff}",
        data_fingerprint=warehouse.data_fingerprint(),
        default_model="popularity",
        candidates=Candidates(
            day,
            np.array([user], dtype=np.int32),
            np.array(coupons, dtype=np.int32),
        ),
        scores=np.linspace(0.9, 0.1, n_coupons, dtype=np.float32)[None, :],
        ranks=np.arange(1, n_coupons + 1, dtype=np.int32)[None, :],
        reasons=pa.table(
            {"user_id": [user], "coupon_id": coupons[:1], "reasons": ["x"]}
        ),
        model_rows=[
            {
                "run_id": f"test-{cutoff}",
                "model_name": "popularity",
                "is_default": True,
                "cutoff_date": day,
                "parameters": "{}",
                "data_fingerprint": warehouse.data_fingerprint(),
                "code_version": "test",
                "first_training_cutoff": day,
                "last_training_cutoff": day,
                "n_training_pairs": 1,
                "fit_seconds": 0.0,
                "n_evaluated_pairs": 0,
                "predict_seconds": 0.0,
                "peak_memory_mb": 0.0,
                "started_at": dt.datetime(2012, 6, 24),
            }
        ],
    )


def rows(world: World, query: str) -> list[tuple]:
    with duckdb.connect(str(world.database), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_every_candidate_user_gets_ranks_without_gaps(trained):
    found = rows(
        trained,
        "select cutoff_date::varchar, count(*), count(distinct user_hash), "
        "min(rank), max(rank), count(distinct (user_hash, rank)), "
        "count(distinct (user_hash, coupon_hash)) from reporting.recommendations "
        "group by all order by all",
    )
    candidates = dict(
        rows(
            trained,
            "select cutoff_date::varchar, count(*) from features.feature_users "
            "group by all",
        )
    )
    assert [row[0] for row in found] == [LABELLED, LATEST]
    for cutoff, n_rows, n_users, low, high, n_ranks, n_coupons in found:
        assert n_users == candidates[cutoff]
        assert (low, high) == (1, 10)
        assert n_rows == n_ranks == n_coupons == 10 * n_users


def test_ranks_follow_scores_and_ties_go_to_the_lower_hash(trained):
    wrong = rows(
        trained,
        "select count(*) from (select rank, row_number() over (partition by "
        "cutoff_date, user_hash order by score desc, coupon_hash) as expected "
        "from ml.purchase_scores) where rank != expected",
    )
    assert wrong == [(0,)]


def test_every_pair_of_the_latest_cutoff_is_kept(trained):
    kept = rows(
        trained,
        "select cutoff_date::varchar, count(*), min(score) > 0, max(score) < 1 "
        f"from ml.purchase_scores where cutoff_date = '{LATEST}' group by all",
    )
    ((n_pairs,),) = rows(
        trained,
        f"select count(*) from ml.scoring_pairs where cutoff_date = '{LATEST}'",
    )
    assert kept == [(LATEST, n_pairs, True, True)]


def test_earlier_cutoffs_keep_only_the_best_ranks(trained, tmp_path, monkeypatch):
    copy = tmp_path / "pruned.duckdb"
    shutil.copy(trained.database, copy)
    monkeypatch.setattr(publish, "KEPT_RANKS", 5)
    with open_warehouse(copy) as warehouse:
        publish.publish(warehouse, small_run(warehouse, LATEST, n_coupons=7))
        publish.publish(warehouse, small_run(warehouse, LABELLED, n_coupons=7))
    assert rows(
        World(trained.data_dir, copy),
        "select cutoff_date::varchar, max(rank) from ml.purchase_scores "
        "group by all order by all",
    ) == [(LABELLED, 5), (LATEST, 7)]


def test_published_map_is_what_sql_finds_in_the_recommendations(trained):
    """MAP@10 over all users, computed anew from ranks and purchases."""
    ((expected,),) = rows(
        trained,
        f"""
        with bought as (
            select distinct users.user_hash, coupons.coupon_hash
            from core.fct_purchases as purchases
            inner join core.dim_users as users using (user_id)
            inner join core.dim_coupons as coupons using (coupon_id)
            where purchases.purchased_at >= '{LABELLED}'
                and purchases.purchased_at < date '{LABELLED}' + 7
                and coupons.release_week_date = '{LABELLED}'
                and users.registered_at < '{LABELLED}'
        ),
        hits as (
            select user_hash, rank, row_number() over (
                partition by user_hash order by rank) as n_hits
            from reporting.recommendations
            inner join bought using (user_hash, coupon_hash)
            where cutoff_date = '{LABELLED}'
        ),
        precisions as (
            select sum(n_hits / rank) / least(any_value(n_bought), 10) as precision
            from hits
            inner join (
                select user_hash, count(*) as n_bought from bought group by user_hash
            ) using (user_hash)
            group by user_hash
        )
        select sum(precision) / (select count(*) from core.dim_users) from precisions
        """,
    )
    published = rows(
        trained,
        "select value, low, high from ml.model_metrics inner join ml.model_runs "
        "using (run_id, model_name) where metric = 'map_at_10' and slice = 'all' "
        f"and is_default and model_runs.cutoff_date = '{LABELLED}' "
        "order by run_id desc limit 1",
    )
    ((value, low, high),) = published
    assert value == pytest.approx(expected, rel=1e-12)
    assert low <= value <= high


def test_every_model_is_measured_with_all_metrics(trained):
    found = rows(
        trained,
        "select distinct model_name, metric from ml.model_metrics where slice = 'all' "
        "and metric not like '%difference'",
    )
    assert {name for name, _ in found} == TRAINED
    for model in TRAINED:
        metrics = {metric for name, metric in found if name == model}
        assert metrics >= {
            *("map_at_10", "auc", "pr_auc", "log_loss", "brier", "threshold"),
            *("true_positives", "false_positives", "precision", "recall", "f1"),
        }


def test_reasons_are_given_for_most_recommendations(trained):
    ((n_rows, n_reasons, n_texts),) = rows(
        trained,
        "select count(*), count(reasons), count(distinct reasons) "
        "from reporting.recommendations",
    )
    assert n_reasons > 0.8 * n_rows
    assert n_texts >= 30


def test_a_second_run_gives_the_same_bits(trained, tmp_path):
    again = World(trained.data_dir, tmp_path / "again.duckdb")
    shutil.copy(trained.database, again.database)
    query = (
        "select user_hash, coupon_hash, rank, score from ml.purchase_scores "
        f"where cutoff_date = '{LATEST}' order by all"
    )
    before = rows(again, query)
    again.python("-m", "ml.train")
    assert rows(again, query) == before
    assert rows(
        again,
        "select count(distinct run_id) from ml.purchase_scores "
        f"where cutoff_date = '{LATEST}'",
    ) == [(1,)]


@pytest.mark.full
def test_dbt_keeps_the_scores(trained, tmp_path):
    world = World(trained.data_dir, tmp_path / "kept.duckdb")
    shutil.copy(trained.database, world.database)
    count = "select count(*) from reporting.recommendations"
    before = rows(world, count)
    written = ("--select", "path:models/marts/ml/written_by_training")
    build_marts(world, "--full-refresh", *written)
    assert rows(world, count) == before


def test_scores_of_other_data_are_not_shown(trained, tmp_path):
    copy = tmp_path / "other.duckdb"
    shutil.copy(trained.database, copy)
    with duckdb.connect(str(copy)) as connection:
        connection.execute("update raw.source_files set fingerprint = 'x'")
        shown = connection.execute("select count(*) from reporting.recommendations")
        assert shown.fetchall() == [(0,)]


def test_a_failure_while_publishing_leaves_the_old_scores(
    trained, tmp_path, monkeypatch
):
    copy = tmp_path / "failed.duckdb"
    shutil.copy(trained.database, copy)
    world = World(trained.data_dir, copy)
    query = "select * from ml.purchase_scores order by all"
    before = rows(world, query)

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(publish, "insert_rows", fail)
    with open_warehouse(copy) as warehouse, pytest.raises(OSError, match="disk full"):
        publish.publish(warehouse, small_run(warehouse, LATEST))
    assert rows(world, query) == before


def test_marts_rebuilt_from_other_files_are_not_overwritten(trained, tmp_path):
    copy = tmp_path / "changed.duckdb"
    shutil.copy(trained.database, copy)
    with open_warehouse(copy) as warehouse:
        run = small_run(warehouse, LATEST)
        run.data_fingerprint = "another"
        with pytest.raises(Exception, match="rebuilt from other files"):
            publish.publish(warehouse, run)


def test_a_day_that_is_no_cutoff_is_one_clear_error(trained):
    done = trained.python("-m", "ml.train", "--cutoff", "2012-06-11", check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[0].startswith("error: 2012-06-11 is not a cutoff")
    assert "2012-06-10" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_submission_holds_every_user_once(trained, tmp_path):
    out = tmp_path / "submission.csv"
    trained.python("-m", "ml.submission", "--out", str(out))
    with (trained.data_dir / "sample_submission.csv").open(encoding="utf-8") as file:
        expected = [row["USER_ID_hash"] for row in csv.DictReader(file)]
    with out.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert list(lines[0]) == ["USER_ID_hash", "PURCHASED_COUPONS"]
    assert [line["USER_ID_hash"] for line in lines] == expected
    test_list = {
        row[0]
        for row in rows(
            trained, "select coupon_hash from core.dim_coupons where is_test_list"
        )
    }
    for line in lines:
        coupons = line["PURCHASED_COUPONS"].split(" ")
        assert len(coupons) == len(set(coupons)) == 10
        assert set(coupons) <= test_list
    assert b"\r" not in out.read_bytes()


@pytest.mark.full
def test_the_four_required_files_are_enough(sample_dir, tmp_path):
    data = tmp_path / "required"
    data.mkdir()
    for name in (
        *("user_list", "coupon_list_train"),
        *("coupon_area_train", "coupon_detail_train"),
    ):
        shutil.copy(sample_dir / f"{name}.csv", data)
    world = World(data, tmp_path / "required.duckdb")
    world.dbt("build", "--vars", "{n_cutoffs: 8}")
    use_small_models(world)
    done = world.python("-m", "ml.train")
    assert "funnel is left out: the data have no visit log" in done.stderr
    trained = rows(world, "select distinct model_name from ml.model_runs")
    assert {name for (name,) in trained} == TRAINED - {"funnel"}
    assert rows(world, "select count(*) > 0 from reporting.recommendations") == [
        (True,)
    ]
    done = world.python(
        "-m", "ml.submission", "--out", str(tmp_path / "s.csv"), check=False
    )
    assert done.returncode == 1
    assert "coupon_list_test" in done.stderr


def test_a_missing_required_file_leaves_the_warehouse_as_it_was(trained, tmp_path):
    data = tmp_path / "lacking"
    shutil.copytree(trained.data_dir, data)
    (data / "coupon_detail_train.csv").unlink()
    copy = tmp_path / "untouched.duckdb"
    shutil.copy(trained.database, copy)
    before = copy.read_bytes()
    done = World(data, copy).dbt("build", check=False)
    assert done.returncode != 0
    assert "lacks coupon_detail_train.csv" in done.stdout
    assert copy.read_bytes() == before


@pytest.mark.parametrize(
    "verb",
    [
        *("train", "submission", "pipeline", "summary", "query", "catalogue"),
        *("bench", "ablation", "compare", "search", "backtest"),
        *("next_genre", "oracle_report", "card", "check_reasons", "lineage"),
        *("monitor", "monitor_trial", "export_raw", "bigquery_bytes", "engine_costs"),
        "export_mlflow",
        *("promote", "rollback", "score", "week", "vertex_job", "recommend"),
    ],
)
def test_help_shows_an_example(verb, capsys):
    with pytest.raises(SystemExit) as ended:
        import_module(f"ml.{verb}").main(["--help"])
    assert ended.value.code == 0
    assert f"python -m ml.{verb}" in capsys.readouterr().out.split("example:")[1]


def test_results_of_the_lists_are_what_training_measured(trained) -> None:
    with open_warehouse(trained.database, read_only=True) as warehouse:
        found = warehouse.rows(
            "select cast(results.cutoff_date as varchar), "
            "abs(results.map_at_10 - metrics.value) < 1e-9 "
            "from reporting.list_results as results "
            "inner join ml.model_runs as runs "
            "on results.cutoff_date = runs.cutoff_date and runs.is_default "
            "inner join ml.model_metrics as metrics "
            "on runs.run_id = metrics.run_id and runs.model_name = metrics.model_name "
            "where results.slice = 'all' and metrics.slice = 'all' "
            "and metrics.metric = 'map_at_10'"
        )
    assert found == [(LABELLED, True)]


def test_every_model_is_compared_with_the_oracle(trained, tmp_path) -> None:
    page = tmp_path / "oracle.md"
    data = str(trained.data_dir)
    done = trained.python("-m", "ml.oracle_report", "--data", data, "--write", page)
    title = "Share of the oracle's MAP@10, drawn test week"
    (share,) = (t for t in done.stdout.split("\n\n") if t.startswith(title))
    values = {
        line.split()[0]: float(line.split()[1]) for line in share.splitlines()[2:]
    }
    assert set(values) == {*TRAINED, "oracle", "random"}
    assert values["oracle"] == 1
    assert max(values[name] for name in TRAINED) < 1
    # scores that were given to other users would be as good as chance
    assert 0 < 2 * values["random"] < values["logistic_regression"]
    assert page.read_text(encoding="utf-8").count("| logistic_regression |") == 5


def test_an_oracle_report_needs_a_trained_warehouse(sample_world) -> None:
    data = str(sample_world.data_dir)
    done = sample_world.python("-m", "ml.oracle_report", "--data", data, check=False)
    assert done.returncode == 1
    assert "run `python -m ml.train`" in done.stderr
