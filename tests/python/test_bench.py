"""The benchmark: what bounds a plan, which models are slowest, what the page says."""

from __future__ import annotations

import datetime as dt
import json
import sys
import threading
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from ml import bench, bench_spark, process_memory, settings
from ml.bench_page import Machine, SizeResult, Speed, Timed, base_of, markdown
from ml.bench_record import Measured, add, read
from ml.bench_runs import MAIN_TABLES, slowest
from ml.bottlenecks import Bottleneck, PlanError, bottlenecks, costliest, explain
from ml.child import Cost, run_measured
from ml.cli import CommandError
from ml.cut_files import WHOLE, Span, cut_files
from ml.serving_load import Load
from ml.settings import PROJECT_DIR
from ml.warehouse import Warehouse, WarehouseError


def operator(name: str, timing: float, n_rows: int, *children: dict, **extra) -> dict:
    return {
        "type": name,
        "timing": timing,
        "intermediate_rows": n_rows,
        "extra_info": extra,
        "children": list(children),
    }


def test_a_plan_is_bound_by_the_type_with_most_time():
    scans = [
        operator("TABLE_SCAN", 0.3, 100, Table='"a".core.x'),
        operator("TABLE_SCAN", 0.4, 7, Table='"a".core.y'),
    ]
    join = operator("HASH_JOIN", 0.5, 70, *scans, Conditions=["k = k", "d = d"])
    # 0.3 + 0.4 of 1.4 seconds are spent scanning, though the join is the costliest one
    plan = {"operator": [operator("PROJECTION", 0.2, 70, join)]}
    found = costliest(plan)
    assert found == Bottleneck(
        "TABLE_SCAN", 2, pytest.approx(0.5), pytest.approx(1.4), "table a.core.y", 7
    )
    assert str(found) == (
        "2 x TABLE_SCAN: 50% of 1.4 CPU s; most in the one on table a.core.y, 7 rows"
    )


def test_details_are_short_and_never_bare_numbers():
    def detail(**extra) -> str:
        return costliest({"operator": [operator("X", 1.0, 1, **extra)]}).detail

    assert detail(Conditions=["k = k", "d = d"]) == "conditions k = k, d = d"
    assert detail(Groups=["#0", "#1"], Aggregates="sum(x)") == "aggregates sum(x)"
    assert detail(Groups="#0") == ""
    assert len(detail(Expression="x" * 200)) == len("expression ") + 60


def test_a_query_is_explained_by_the_engine():
    with duckdb.connect() as connection:
        found = explain(
            Warehouse(connection),
            "select i, count(*) from range(200000) t(i) group by i",
        )
    # 200,000 groups: counting them bounds it on any machine
    assert found.operator == "HASH_GROUP_BY"
    assert found.n_rows == 200_000
    assert 0.3 < found.share <= 1


def test_a_query_that_fails_is_answered_with_the_reason(sample_world):
    found = bottlenecks(
        sample_world.database,
        {
            "good": "select genre, count(*) from core.dim_coupons group by all",
            "bad": "select 1 from nowhere",
        },
    )
    assert "CPU s" in found["good"]
    assert found["bad"].startswith("not measured: Catalog Error")
    with pytest.raises(PlanError):
        costliest({"result": "error"})


RUN = {
    "results": [
        {"unique_id": "model.p.fast", "execution_time": 0.1},
        {"unique_id": "model.p.slow", "execution_time": 9.0},
        {"unique_id": "model.p.a_view", "execution_time": 0.5},
        {"unique_id": "test.p.of_slow", "execution_time": 2.0},
        {"unique_id": "test.p.of_both", "execution_time": 3.0},
        {"unique_id": "unit_test.p.slow.x", "execution_time": 99.0},
    ]
}
BOTH = ["model.p.fast", "model.p.slow", "model.p.a_view"]
MANIFEST = {
    "nodes": {
        **{
            f"model.p.{name}": {
                "unique_id": f"model.p.{name}",
                "schema": "core",
                "name": name,
            }
            for name in ("fast", "slow", "a_view")
        },
        "test.p.of_slow": {
            "unique_id": "test.p.of_slow",
            "schema": "tests",
            "name": "of_slow",
            "attached_node": "model.p.slow",
            "depends_on": {"nodes": BOTH},
        },
        "test.p.of_both": {
            "unique_id": "test.p.of_both",
            "schema": "tests",
            "name": "of_both",
            "depends_on": {"nodes": BOTH},
        },
    }
}
COUNTS = {"core.fast": 10, "core.slow": 8}


def test_the_slowest_models_come_first_with_their_rows():
    assert slowest(RUN, MANIFEST, "model", COUNTS, 2) == [
        Timed("slow", 9.0, 8),
        Timed("a_view", 0.5, None),
    ]


def test_a_test_has_the_rows_of_what_it_looks_at():
    assert slowest(RUN, MANIFEST, "test", COUNTS, 5) == [
        # a fact about several models: the largest of them
        Timed("of_both", 3.0, 10),
        Timed("of_slow", 2.0, 8),
    ]


def size(users: int, events: int, build: Cost) -> SizeResult:
    return SizeResult(
        users,
        {"sample": Cost(1.0, 100.0), "dbt build": build},
        {"core.dim_users": users},
        events,
        12.0,
        [Timed("slow", 9.0, 8, "HASH_JOIN: 50% | of it")],
        [Timed("of_slow", 2.0, None)],
        Speed("popularity", 900, 1.25, 5_000, 0.5, 1e6, 0.25, 0.5),
        [Load("table", 8, 1_500, 150.0, 50.25, 75.5, 99.75)],
    )


def machine_with(engine: str) -> Machine:
    return Machine(2, 25.0, engine, "0.1.0 abc", dt.date(2026, 11, 24))


def page_of(
    *results: SizeResult, engine: str = "DuckDB 2.0.0", span: Span = WHOLE
) -> list[str]:
    return markdown(machine_with(engine), 7, results, span).splitlines()


def test_scaling_is_relative_to_the_real_size():
    real = size(22_873, 1_000, Cost(10.0, 400.0))
    large = size(91_492, 4_000, Cost(60.0, 500.0))
    assert base_of([large, real]) is real
    assert base_of([large]) is large
    lines = page_of(real, large)
    # build: 6 times the seconds for 4 times the events, 1.25 times the memory
    assert "| 91,492 | 4.00 | 1.00 | 0.25 | 1.00 | 6.00 | 1.50 | 1.25 |" in lines
    assert "| 22,873 | 1.00 | 1.00 | 1.00 | 1.00 | 1.00 | 1.00 | 1.00 |" in lines


def test_the_page_names_the_command_that_measures_it_again():
    built = page_of(size(300, 10, Cost(10.0, 400.0)), size(600, 20, Cost(9.0, 400.0)))
    command = "python -m ml.bench --users 300 600 --seed 7 --train-up-to 0"
    assert built[2].startswith(f"Written by `{command}` on synthetic samples")
    trained = size(300, 10, Cost(10.0, 400.0))
    trained.costs["ml.train"] = Cost(5.0, 400.0)
    assert "`python -m ml.bench --users 300 --seed 7`" in page_of(trained)[2]
    larger = size(600, 20, Cost(9.0, 400.0))
    only_small = page_of(trained, larger)
    assert only_small[2].startswith(
        "Written by `python -m ml.bench --users 300 600 --seed 7 --train-up-to 300`"
    )
    # what was not run is a dash, in seconds and in their multiples
    assert "| 600 | 20 | 12 | 1.0 | 100 | 9.0 | 400 | - | - |" in only_small
    times = "1.00 | 0.50 | 1.00 | 0.90 | 0.45 | 1.00 | - | - | -"
    assert f"| 600 | 2.00 | {times} |" in only_small
    span = Span(dt.date(2011, 10, 3), dt.date(2012, 1, 1))
    assert "--since 2011-10-03 --until 2012-01-01`" in page_of(trained, span=span)[2]
    # beyond the competition's size nothing is trained unless it is asked for
    huge = page_of(trained, size(91_492, 20, Cost(9.0, 400.0)))[2]
    assert "`python -m ml.bench --users 300 91492 --seed 7`" in huge


def test_the_page_names_machine_models_and_tests():
    lines = page_of(size(300, 10, Cost(10.0, 400.0)))
    assert "| 2026-11-24 | 2 | 25 GB | DuckDB 2.0.0 | 0.1.0 abc |" in lines
    assert "| slow | 9.00 | 8 | HASH_JOIN: 50% / of it |" in lines
    assert "| of_slow | 2.00 | view |" in lines
    assert (
        "| 300 | popularity | 900 | 1.2 | 5,000 | 0.5 | 1,000,000 | 0.25 | 0.50 |"
        in lines
    )
    assert "| 300 | table | 8 | 1,500 | 150.0 | 50.2 | 75.5 | 99.8 |" in lines
    assert "## Scaling" not in lines


def test_the_page_of_spark_has_no_plans_and_names_its_own_command():
    result = SizeResult(
        *(300, {"dbt build": Cost(100.0, 2_000.0)}, {"core.dim_users": 300}, 10, 12.0),
        *([Timed("slow", 9.0, 8)], [Timed("of_slow", 2.0, None)]),
    )
    lines = page_of(result, engine="Spark 4.3.0")
    command = ".venv-spark/bin/python -m ml.bench --target spark --users 300 --seed 7"
    assert lines[2].startswith(f"Written by `{command}` on synthetic samples")
    assert "no unit tests" in lines[2]
    assert "| slow | 9.00 | 8 |" in lines
    assert not any("what bounds it" in line for line in lines)


def test_figures_are_recorded_in_place_of_older_ones(tmp_path, monkeypatch, capsys):
    record = tmp_path / "figures.csv"
    when = (2, 25, "0.1.0 old", "2026-01-01")
    old = [
        Measured("duckdb", 300, 9, "dbt build", "seconds", 1.0, *when),
        Measured("duckdb", 300, 9, "ml.train", "seconds", 3.0, *when),
        Measured("spark", 300, 9, "dbt build", "seconds", 2.0, *when),
    ]
    add(record, old)
    assert read(record) == old
    result = size(300, 10, Cost(10.5, 400.0))
    monkeypatch.setattr(bench, "measure", lambda *_: replace(result, billed_gib=1.25))
    monkeypatch.setattr(bench, "this_machine", machine_with)
    assert bench.main(["--users", "300", "--record", str(record)]) == 0
    now = "2,25,0.1.0 abc,2026-11-24"
    assert record.read_text(encoding="utf-8").splitlines() == [
        "engine,users,events,step,quantity,value,cores,memory_gb,version,date",
        f"bigquery,300,10,dbt build,billed_gib,1.25,{now}",
        # what was not measured anew stays
        "duckdb,300,9,ml.train,seconds,3,2,25,0.1.0 old,2026-01-01",
        f"duckdb,300,10,dbt build,stored_mb,12,{now}",
        f"duckdb,300,10,sample,seconds,1,{now}",
        f"duckdb,300,10,sample,peak_mb,100,{now}",
        f"duckdb,300,10,dbt build,seconds,10.5,{now}",
        f"duckdb,300,10,dbt build,peak_mb,400,{now}",
        "spark,300,9,dbt build,seconds,2,2,25,0.1.0 old,2026-01-01",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("engine,users\n", "line 1: the columns must be engine, users, events"),
        ("duckdb,many,9,dbt build,seconds,1,2,25,v,d\n", "line 2: invalid literal"),
        ("duckdb,3,9,dbt build,seconds,1\n", "line 2: a field is missing"),
        ("duckdb,3,9,dbt build,seconds,nan,2,25,v,d\n", "line 2: value nan is no"),
    ],
)
def test_a_record_that_cannot_be_read_is_refused_before_anything_is_measured(
    text, message, tmp_path, monkeypatch, capsys
):
    record = tmp_path / "figures.csv"
    head = "engine,users,events,step,quantity,value,cores,memory_gb,version,date\n"
    record.write_text(text if text.startswith("engine") else head + text)
    monkeypatch.setattr(bench, "measure", None)
    assert bench.main(["--users", "300", "--record", str(record)]) == 1
    assert message in capsys.readouterr().err


def test_a_size_on_spark_is_measured_step_by_step(tmp_path, monkeypatch):
    def run_steps(users, steps, environment, with_descendants):
        assert with_descendants
        for name in ("SPARK_WAREHOUSE_DIR", "SPARK_METASTORE_DIR", "SPARK_RAW_DIR"):
            assert environment[name].startswith(str(tmp_path))
        assert environment["SPARK_MASTER_URL"] == "local[*]"
        assert steps["dbt build"][-2:] == ["--exclude-resource-type", "unit_test"]
        directory = tmp_path / "data" / "bench-spark-300"
        for name in MAIN_TABLES:
            schema, table = name.split(".")
            place = directory / "warehouse" / f"{schema}.db" / table
            place.mkdir(parents=True)
            duckdb.sql("select * from range(5)").write_parquet(str(place / "0.parquet"))
        (directory / "target").mkdir()
        for name, content in (("run_results", RUN), ("manifest", MANIFEST)):
            path = directory / "target" / f"{name}.json"
            path.write_text(json.dumps(content))
        return {step: Cost(1.0, 2.0) for step in steps}

    monkeypatch.setattr(settings, "PROJECT_DIR", tmp_path)
    monkeypatch.setattr(bench_spark, "run_steps", run_steps)
    result = bench_spark.measure(300, 7, keep=False)
    assert list(result.costs) == ["sample", "ml.export_raw", "dbt build"]
    assert (result.rows["ml.training_pairs"], result.n_events) == (5, 10)
    assert result.warehouse_mb > 0
    assert [model.name for model in result.models] == ["slow", "a_view", "fast"]
    assert not (tmp_path / "data" / "bench-spark-300").exists()


def test_spark_is_measured_only_where_java_and_its_memory_can_be(monkeypatch, tmp_path):
    monkeypatch.setattr(bench_spark, "check_installed", lambda: None)
    monkeypatch.setattr(process_memory, "PROC", tmp_path)
    monkeypatch.setenv("JAVA_HOME", "somewhere")
    with pytest.raises(CommandError, match="from /proc, which this system does not"):
        bench_spark.engine()
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(WarehouseError, match="needs Java, which is not there"):
        bench_spark.engine()


def test_rows_of_tables_on_spark_are_counted_in_their_files(tmp_path):
    for name, n_rows in (("part-0", 3), ("part-1", 4)):
        table = tmp_path / "core.db" / "fct_visits"
        table.mkdir(parents=True, exist_ok=True)
        (table / "_SUCCESS").touch()
        duckdb.sql(f"select * from range({n_rows})").write_parquet(
            str(table / f"{name}.parquet")
        )
    (tmp_path / "ml.db" / "empty").mkdir(parents=True)
    assert bench_spark.table_counts(tmp_path) == {"core.fct_visits": 7}


def test_a_size_that_fails_leaves_what_was_measured(tmp_path, monkeypatch, capsys):
    def measure(users, seed, span, with_training, keep):
        if users == 600:
            raise CommandError("step 'dbt build' failed")
        return size(users, 10, Cost(10.0, 400.0))

    monkeypatch.setattr(bench, "measure", measure)
    page = tmp_path / "page.md"
    assert bench.main(["--users", "300", "600", "--write", str(page)]) == 1
    assert "step 'dbt build' failed" in capsys.readouterr().err
    assert "## 300 users" in page.read_text(encoding="utf-8")


def test_files_are_cut_to_a_span(sample_dir, tmp_path):
    since, until = dt.date(2011, 10, 3), dt.date(2012, 1, 1)
    cut_files(sample_dir, tmp_path / "cut", Span(since, until), tmp_path / "cache")
    cut_files(sample_dir, tmp_path / "since", Span(since), tmp_path / "cache")

    def read(directory: Path, name: str, what: str) -> tuple:
        return duckdb.sql(
            f"select {what} from read_csv('{directory / name}.csv', all_varchar = true)"
        ).fetchall()[0]

    for log in ("coupon_detail_train", "coupon_visit_train"):
        whole = read(sample_dir, log, "count(*), min(I_DATE), max(I_DATE)")
        (n_cut, first, last), (n_since, first_since, last_since) = (
            read(tmp_path / name, log, "count(*), min(I_DATE), max(I_DATE)")
            for name in ("cut", "since")
        )
        assert whole[1] < str(since) <= first_since <= first
        assert last < str(until) < last_since == whole[2]
        inside = f"count(*) filter (I_DATE >= '{since}' and I_DATE < '{until}')"
        assert (n_cut,) == read(sample_dir, log, inside)
        after = f"count(*) filter (I_DATE >= '{since}')"
        assert (n_since,) == read(sample_dir, log, after)
    # nobody leaves with the beginning of the logs
    for listed in ("user_list", "coupon_list_train", "coupon_area_train"):
        rows = [read(at, listed, "count(*)") for at in (sample_dir, tmp_path / "since")]
        assert rows[0] == rows[1]


def test_a_command_is_measured_in_a_process_of_its_own():
    cost = run_measured("sleep", [sys.executable, "-c", "x = bytearray(200_000_000)"])
    assert cost.peak_memory_mb > 200
    assert 0 < cost.seconds < 60
    with pytest.raises(CommandError, match="step 'fail' failed with exit code 3"):
        run_measured("fail", [sys.executable, "-c", "raise SystemExit(3)"])
    with pytest.raises(CommandError, match="exit code 7"):
        run_measured(
            "environment",
            [sys.executable, "-c", "import os; exit(int(os.environ['CODE']))"],
            {"CODE": "7"},
        )


@pytest.mark.skipif(not process_memory.can_be_read(), reason="this system has no /proc")
def test_memory_of_what_a_command_starts_is_added_up():
    child = "import time; x = bytearray(150_000_000); time.sleep(1.5)"
    command = [
        sys.executable,
        "-c",
        f"import subprocess, sys; x = bytearray(100_000_000); "
        f"subprocess.Popen([sys.executable, '-c', {child!r}]).wait()",
    ]
    # both at a time, and what two Pythons need besides
    cost = run_measured("all", command, with_descendants=True)
    assert 250 < cost.peak_memory_mb < 350


def test_a_process_counts_once_it_was_seen_twice(monkeypatch):
    looks = [
        {"1": 100.0},
        # split off from the first, with all of its memory for a moment
        {"1": 110.0, "2": 110.0},
        {"1": 120.0, "3": 50.0},
        {"1": 120.0, "3": 60.0},
    ]
    seen = iter(looks)
    ended = threading.Event()

    def look(pid: int) -> dict[str, float]:
        found = next(seen, None)
        if found is None:
            ended.set()
            return {}
        return found

    monkeypatch.setattr(process_memory, "resident_megabytes", look)
    monkeypatch.setattr(process_memory, "INTERVAL", 0.001)
    with process_memory.watched(1) as peak:
        assert ended.wait(10)
    assert peak.megabytes == 180


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--users", "5"], "--users must be 100 or more."),
        (["--users", "300", "--seed", "-1"], "--seed must be 0 or more."),
        (["--until", "2012-01-02"], "--until must be a Sunday."),
        (
            ["--since", "2012-01-01", "--until", "2012-01-01"],
            "--since must be before --until.",
        ),
        (
            ["--until", "2012-01-01", "--record", "x.csv"],
            "--until goes neither with Spark nor with --record.",
        ),
        (
            ["--since", "2012-01-01", "--target", "spark"],
            "--since goes neither with Spark nor with --record.",
        ),
        (["--users", "300", "--write", "none/x.md"], "none is no directory."),
        (
            ["--users", "300", "--record", "none/x.csv"],
            "--record: none is no directory.",
        ),
        (["--users", "300", "--target", "spark"], "--target spark needs Spark"),
    ],
)
def test_bad_options_are_one_sentence(arguments, message, capsys):
    assert bench.main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error


@pytest.mark.full
def test_a_small_size_is_measured_and_removed(sample_world, tmp_path):
    page = tmp_path / "benchmarks.md"
    done = sample_world.python(
        *(
            "-m",
            "ml.bench",
            "--users",
            "120",
            "--train-up-to",
            "0",
            "--write",
            str(page),
        )
    )
    text = page.read_text(encoding="utf-8")
    assert done.stdout.strip() == text.strip()
    assert "| core.dim_users | 120 |" in text
    assert "ml.train s" not in text
    slowest = text.split("what bounds it |\n")[1].split("\n\n")[0].splitlines()[1:]
    assert len(slowest) == 10
    assert sum("CPU s" in line for line in slowest) == 5
    assert not (PROJECT_DIR / "data" / "bench-120").exists()
