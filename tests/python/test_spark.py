"""The project on a Spark cluster, and its marts against DuckDB's: docs/spark.md."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from compare_marts import differences
from spark_cluster import BIN, environment, spark_cluster
from warehouses import World, build_marts, write_sample

from ml.evaluate import evaluate, read_context
from ml.grid import ScoredGrid, score_grid
from ml.pairs import read_candidates, read_labels
from ml.registry import SavedModel, load_saved
from ml.scoring import ranks_of
from ml.settings import PROJECT_DIR
from ml.warehouse import open_warehouse

N_USERS = 150
SEED = 7
SCHEMAS = ("core", "features", "ml", "reporting")


def dbt(directory: Path, *arguments: str, **variables: str) -> None:
    """Run dbt of .venv-spark; what it leaves stays in the directory."""
    done = subprocess.run(
        [
            *(BIN / "dbt", *arguments, "--target", "spark"),
            *("--target-path", directory / "target", "--log-path", directory / "logs"),
        ],
        cwd=PROJECT_DIR,
        env=environment(**places(directory), **variables),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]


def places(directory: Path) -> dict[str, str]:
    """Return the variables that say where Spark's tables and their names are."""
    return {
        "SPARK_WAREHOUSE_DIR": str(directory / "warehouse"),
        "SPARK_METASTORE_DIR": str(directory / "metastore"),
    }


#: What another engine may have made of the rows of `MART`, and what is said of it.
MART = [(1, "a", 0.5, 3.0), (1, "a", 0.5, 4.0), (2, None, None, 5.0)]
OTHERS = {
    "order": (MART[::-1], []),
    "last_bits": ([*MART[:2], (2, None, None, 5.000000001)], []),
    "float": ([*MART[:2], (2, None, 0.0, 5.0)], ["m.t.single: 1 differ, as None, 0.0"]),
    "double": (
        [*MART[:2], (2, None, None, 5.1)],
        ["m.t.double: 1 differ, as 5.0, 5.1"],
    ),
    "text": (
        [*MART[:2], (2, "", None, 5.0)],
        [
            "m.t: 1 rows of DuckDB alone, as [(2, None, None, 5.0)]",
            "m.t: 1 rows of Parquet alone, as [(2, '', None, 5.0)]",
        ],
    ),
    "alike": ([MART[0], MART[0], MART[2]], ["m.t.double: 1 differ, as 4.0, 3.0"]),
    "one_row_less": (
        MART[:2],
        ["m.t: 1 rows of DuckDB alone, as [(2, None, None, 5.0)]"],
    ),
    "one_row_more": (
        [*MART, MART[0]],
        ["m.t: 1 rows of Parquet alone", "m.t.double: 1 differ, as 4.0, 3.0"],
    ),
}
COLUMNS = "key integer, word varchar, single float, double double"


def compared(rows: list[tuple], directory: Path, columns: str = COLUMNS) -> list[str]:
    with duckdb.connect() as conn:
        conn.execute(f"create schema m; create table m.t ({COLUMNS})")
        conn.executemany("insert into m.t values (?, ?, ?, ?)", MART)
        conn.execute(f"create table other ({columns})")
        conn.executemany("insert into other values (?, ?, ?, ?)", rows)
        conn.execute(f"copy other to '{directory}/part.parquet'")
        return list(differences(conn, "m.t", directory))


@pytest.mark.parametrize("name", OTHERS)
def test_differences_between_marts_are_found(name, tmp_path):
    rows, expected = OTHERS[name]
    found = compared(rows, tmp_path)
    assert len(found) == len(expected)
    for line, start in zip(found, expected, strict=True):
        assert line.startswith(start)


def test_other_types_and_columns_are_found(tmp_path):
    assert compared(MART, tmp_path, COLUMNS.replace("integer", "bigint")) == []
    (line,) = compared(MART, tmp_path, COLUMNS.replace("float", "double"))
    assert "('single', 'DOUBLE'), ('single', 'FLOAT')" in line
    (line,) = compared(MART, tmp_path, COLUMNS.replace("word", "text"))
    assert "('text', 'VARCHAR'), ('word', 'VARCHAR')" in line


# On the cluster

#: A labelled week, so that the models that are evaluated are those that score it.
LABELLED = "2012-06-10"
#: A week of the sample has more candidate pairs.
LEAST_PAIRS = 2_000
#: The driver takes at most 1 MB of results of a query while it trains: more than the
#: scores of all users and a week's training pairs have, less than the pairs' features.
#: Tables that are sent to all workers would go through it: none is, then.
LITTLE_ROOM = {
    "PYSPARK_SUBMIT_ARGS": "--conf spark.driver.maxResultSize=1m pyspark-shell",
    "SPARK_BROADCAST_BYTES": "-1",
}
#: How far scores of the same model file may lie apart.
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Built:
    """The warehouse on a cluster that runs, and DuckDB's of the same files."""

    world: World
    directory: Path
    cluster: str
    results: dict

    @property
    def variables(self) -> dict[str, str]:
        """What says where the cluster and the warehouse are."""
        return {
            "PONPARE_DATA_DIR": str(self.world.data_dir),
            "SPARK_MASTER_URL": self.cluster,
            "SPARK_RAW_DIR": str(self.directory / "raw"),
        } | places(self.directory)

    def python(self, *arguments: str, **more: str) -> subprocess.CompletedProcess:
        """Run Python of .venv-spark on the cluster."""
        return subprocess.run(
            [BIN / "python", *arguments],
            cwd=PROJECT_DIR,
            env=environment(
                PYTHONPATH=os.pathsep.join(["tests/python", "."]),
                **self.variables,
                **more,
            ),
            capture_output=True,
            text=True,
            check=False,
        )

    def step(self, *arguments: str, **more: str) -> subprocess.CompletedProcess:
        """Run a step of tests/spark/steps.py."""
        return self.python("tests/spark/steps.py", *arguments, **more)


def said(done: subprocess.CompletedProcess) -> str:
    """Return what a process printed, without the lines of where Java was."""
    lines = (done.stdout + done.stderr).splitlines()
    return "\n".join(line for line in lines if not line.startswith("\tat "))[-5000:]


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Iterator[Built]:
    """Everything built on a cluster, with data tests: about ten minutes."""
    if not (BIN.parent / "installed").is_file():
        pytest.skip("there is no .venv-spark (`make spark`): nothing is built")
    if shutil.which("java") is None:
        pytest.skip("there is no Java: Spark cannot run")
    directory = tmp_path_factory.mktemp("spark")
    world = World(
        write_sample(directory / "sample", users=N_USERS, seed=SEED),
        directory / "sample.duckdb",
    )
    build_marts(world)
    world.python("-m", "ml.export_raw", "--out", str(directory / "raw"))
    with spark_cluster(directory / "cluster") as address:
        where = {"SPARK_MASTER_URL": address, "SPARK_RAW_DIR": str(directory / "raw")}
        dbt(directory, "build", "--exclude-resource-type", "unit_test", **where)
        results = json.loads((directory / "target" / "run_results.json").read_text())
        yield Built(world, directory, address, results)


@pytest.mark.full
def test_spark_builds_the_marts_that_duckdb_builds(built):
    kinds = [result["unique_id"].split(".")[0] for result in built.results["results"]]
    assert {result["status"] for result in built.results["results"]} <= {
        "success",
        "pass",
        "no-op",
    }
    assert kinds.count("model") > 100
    assert kinds.count("test") > 1000

    marts_dir = built.directory / "marts"
    where = {"SPARK_MASTER_URL": built.cluster, "SPARK_RAW_DIR": "unused"}
    arguments = json.dumps({"directory": str(marts_dir)})
    dbt(built.directory, "run-operation", "export_marts", "--args", arguments, **where)
    with duckdb.connect() as conn:
        conn.execute(f"attach '{built.world.database}' as duck (read_only)")
        conn.execute("use duck")
        marts = conn.execute(
            "select table_schema || '.' || table_name from information_schema.tables "
            "where table_catalog = 'duck' and table_schema in $schemas order by all",
            {"schemas": list(SCHEMAS)},
        ).fetchall()
        found = [
            line
            for (mart,) in marts
            for line in differences(conn, mart, marts_dir / mart)
        ]
    assert len(marts) > 60
    assert found == []


@dataclass(frozen=True)
class Trained:
    """What two runs on Spark wrote: one trained and evaluated, one only scored.

    Attributes
    ----------
    tables
        With the tables that tests/spark/steps.py exports.
    first, latest
        Runs: of the labelled cutoff, of the latest.
    database
        DuckDB's warehouse of the same files.
    """

    tables: duckdb.DuckDBPyConnection
    first: str
    latest: str
    database: Path


@pytest.fixture(scope="module")
def trained(built) -> Iterator[Trained]:
    """Models trained on the cluster, with little room for results in the driver."""
    done = built.step("settings")
    assert done.returncode == 0, said(done)
    for command in (("ml.train", "--cutoff", LABELLED), ("ml.score",)):
        done = built.python("-m", *command, "--target", "spark", **LITTLE_ROOM)
        assert done.returncode == 0, said(done)
    tables = built.directory / "written"
    done = built.step("export", str(tables))
    assert done.returncode == 0, said(done)
    with duckdb.connect() as conn:
        for path in tables.iterdir():
            conn.execute(
                f"create table {path.name.split('.')[1]} as "
                f"from read_parquet('{path}/*.parquet')"
            )
        runs = conn.execute(
            "select run_id from model_runs where is_default order by finished_at"
        ).fetchall()
        (first,), (latest,) = runs
        yield Trained(conn, first, latest, built.world.database)


def duckdb_scores(
    trained: Trained, run_id: str
) -> tuple[ScoredGrid, SavedModel, list[str], list[str]]:
    """Score the cutoff of a run with its model file on DuckDB.

    Returns
    -------
    ScoredGrid
    SavedModel
    list of str
        Hashes of the grid's users.
    list of str
        Hashes of its coupons.
    """
    ((model_file, cutoff),) = trained.tables.execute(
        "select model_file, cutoff_date from model_runs where run_id = ? "
        "and is_default",
        [run_id],
    ).fetchall()
    saved = load_saved(PROJECT_DIR / model_file)
    with open_warehouse(trained.database, read_only=True) as warehouse:
        candidates = read_candidates(warehouse, cutoff)
        grid = score_grid(warehouse, saved.model.contract_, candidates, [saved.model])
        hash_of = [
            dict(warehouse.rows(f"select {key}_id, {key}_hash from core.dim_{key}s"))
            for key in ("user", "coupon")
        ]
    users, coupons = (
        [of[int(i)] for i in ids]
        for of, ids in zip(
            hash_of, (candidates.user_ids, candidates.coupon_ids), strict=True
        )
    )
    return grid, saved, users, coupons


@pytest.mark.full
def test_a_model_file_scores_alike_on_both_engines(trained):
    """The latest cutoff, of which every pair is kept."""
    grid, _, users, coupons = duckdb_scores(trained, trained.latest)
    (scores,) = grid.scores.values()
    rows, columns = (part.ravel() for part in np.indices(scores.shape))
    expected = pa.table(
        {
            "user_hash": pa.array(users).take(rows),
            "coupon_hash": pa.array(coupons).take(columns),
            "score": scores.ravel().astype(np.float64),
            "rank": ranks_of(scores).ravel(),
        }
    )
    assert coupons == sorted(coupons)
    conn = trained.tables
    conn.register("expected", expected)
    ((n_both, furthest, n_moved, furthest_back),) = conn.execute(
        """
        with matched as (
            select ours.*, theirs.score as spark_score, theirs.rank as spark_rank
            from expected as ours
            inner join purchase_scores as theirs
                on ours.user_hash = theirs.user_hash
                and ours.coupon_hash = theirs.coupon_hash
            where theirs.run_id = ?
        )
        select
            count(*),
            max(abs(score - spark_score)),
            count(*) filter (rank != spark_rank),
            max(score - score_before)
        from (
            select
                *,
                lag(score) over (partition by user_hash order by spark_rank)
                    as score_before
            from matched
        )
        """,
        [trained.latest],
    ).fetchall()
    assert n_both == len(expected) > LEAST_PAIRS
    assert furthest <= TOLERANCE
    # in Spark's order DuckDB's scores fall, but where they tie within the tolerance
    assert furthest_back <= 2 * TOLERANCE
    assert n_moved < 0.01 * n_both
    print(f"{n_both} pairs, furthest {furthest:.2g}, {n_moved} ranks moved")


@pytest.mark.full
def test_ranks_on_spark_follow_scores_and_ties_go_to_the_lower_hash(trained):
    ((n_pairs, n_wrong),) = trained.tables.execute(
        """
        select count(*), count(*) filter (rank != expected)
        from (
            select
                rank,
                row_number() over (
                    partition by cutoff_date, user_hash
                    order by score desc, coupon_hash
                ) as expected
            from purchase_scores
        )
        """
    ).fetchall()
    assert n_wrong == 0
    assert n_pairs > 2 * LEAST_PAIRS


@pytest.mark.full
def test_metrics_measured_on_spark_are_those_of_duckdb(trained):
    conn = trained.tables
    grid, saved, _, _ = duckdb_scores(trained, trained.first)
    found = {
        (metric, part): value
        for metric, part, value in conn.execute(
            "select metric, slice, value from model_metrics where run_id = ? "
            "and model_name = ? and metric != 'map_at_10_difference'",
            [trained.first, saved.model.name],
        ).fetchall()
    }
    with open_warehouse(trained.database, read_only=True) as warehouse:
        measured, _ = evaluate(
            grid,
            read_labels(warehouse, grid.candidates),
            read_context(warehouse, grid),
            {saved.model.name: found["threshold", "all"]},
            saved.model.name,
        )
    expected = {(m.metric, m.slice): m.value for m in measured}
    assert found.keys() == expected.keys()
    assert len(found) > 50
    for name, value in expected.items():
        if math.isnan(value):
            assert found[name] is None
        else:
            assert found[name] == pytest.approx(value, rel=1e-4, abs=1e-6), name
    assert ("evaluated_users", "sample") not in found


@pytest.mark.full
def test_a_run_on_spark_is_recorded_as_on_duckdb(trained):
    conn = trained.tables
    ((n_users, fewest, most, n_without),) = conn.execute(
        "select count(distinct user_hash), min(n), max(n), sum(n_without) from ("
        "select user_hash, count(*) as n, count(*) - count(reasons) as n_without "
        "from recommendations group by cutoff_date, user_hash)"
    ).fetchall()
    assert n_users > 0.9 * N_USERS
    assert fewest == most == 10
    assert n_without < 0.5 * 10 * 2 * n_users
    rows = conn.execute(
        "select count(*), count(*) filter (is_default), min(predict_seconds) > 0, "
        f"count(latency_p50_ms), min(n_evaluated_pairs) > {LEAST_PAIRS} "
        "from model_runs where run_id = ?",
        [trained.first],
    ).fetchall()
    assert rows == [(9, 1, True, 0, True)]
    for table in ("misses", "model_cards", "model_coefficients", "model_files"):
        ((n_rows,),) = conn.execute(
            f"select count(*) from {table} where run_id = ?", [trained.first]
        ).fetchall()
        assert n_rows > 0
    ((n_lacking,),) = conn.execute(
        "select count(lacking_reasons) from misses where run_id = ?", [trained.first]
    ).fetchall()
    assert n_lacking > 0
    assert conn.execute(
        "select count(*), count(until) from model_registry"
    ).fetchall() == [(1, 0)]


@pytest.mark.full
def test_the_driver_could_not_have_held_the_pairs(built, trained):
    """The limit under which training ran is one that its pairs do not pass."""
    done = built.step("collect_pairs", LABELLED, **LITTLE_ROOM)
    assert done.returncode != 0
    assert "spark.driver.maxResultSize" in done.stderr
    assert "pairs have come" not in done.stdout


@pytest.mark.full
@pytest.mark.parametrize(
    ("table", "is_shown"), [("score_reasons", True), ("model_runs", False)]
)
def test_a_run_that_dies_shows_nothing_of_itself(
    built, trained, table, is_shown, tmp_path
):
    """Before the first table is in its place all is as before; before the last, the
    week that was to be published has no recommendations."""
    conn = trained.tables
    done = built.step("die", table)
    assert done.returncode == 9, said(done)
    done = built.step("export", str(tmp_path))
    assert done.returncode == 0, said(done)
    for name in ("recommendations", "model_runs"):
        path = tmp_path / f"{'reporting' if name == 'recommendations' else 'ml'}.{name}"
        there = f"read_parquet('{path}/*.parquet')"
        before = f"select * from {name}"
        if name == "recommendations" and not is_shown:
            before += (
                " where cutoff_date < (select max(cutoff_date) from recommendations)"
            )
        for one, other in (
            (f"select * from {there}", before),
            (before, f"select * from {there}"),
        ):
            assert not conn.execute(f"{one} except all {other}").fetchall()


@pytest.mark.full
def test_a_run_that_was_overtaken_writes_nothing_and_says_so(built, trained):
    done = built.step("overtake")
    assert done.returncode == 0, said(done)
    refused, *left = done.stdout.splitlines()
    assert "ml.model_cards was written by another run" in refused
    assert left == ["left: [(2,)]", "left: []"]
