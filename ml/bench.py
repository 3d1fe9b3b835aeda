"""Measure how build and training grow with the data, and what bounds them.

For each number of users: a synthetic sample, `dbt build` with all tests, `ml.train`,
clients that ask for lists, the incremental build of a week more (without unit tests, as
the weekly job does it); each in a process of its own, in a directory data/bench-<users>
that is emptied before and removed afterwards. Prints a page of seconds, peak memory and
the slowest models.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import duckdb

from ml import cli, settings
from ml.bench_page import (
    REAL_USERS,
    TRAIN,
    Machine,
    SizeResult,
    Speed,
    Timed,
    markdown,
)
from ml.bottlenecks import bottlenecks
from ml.child import Cost, run_measured
from ml.files import write_whole
from ml.manifest import dbt_command
from ml.serving_load import Load, measure_serving
from ml.version import code_version
from ml.warehouse import Warehouse, open_warehouse
from ml.week import BUILD, INCREMENTAL

EXAMPLE = "example: python -m ml.bench --users 2000 --write docs/benchmarks.md"

#: A quarter of the competition's users, all of them, four times as many.
SIZES = (REAL_USERS // 4, REAL_USERS, 4 * REAL_USERS)
MIN_USERS = 100
MAIN_TABLES = (
    *("core.dim_users", "core.dim_coupons", "core.fct_purchases", "core.fct_visits"),
    *("features.feature_users", "features.feature_coupons", "ml.training_pairs"),
)
EVENTS = ("core.fct_purchases", "core.fct_visits")
STDERR = 2
WEEK = "a week more"
N_MODELS, N_EXPLAINED, N_TESTS = 10, 5, 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("bench", __doc__, EXAMPLE)
    parser.add_argument(
        "--users",
        type=int,
        nargs="+",
        default=list(SIZES),
        help="sizes of the samples (default: 1/4, 1/1 and 4/1 of the competition's)",
    )
    parser.add_argument(
        "--seed", type=int, default=7, help="seed of the samples (default: %(default)s)"
    )
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="also write the page"
    )
    parser.add_argument(
        "--train-up-to",
        type=int,
        default=REAL_USERS,
        metavar="USERS",
        help="largest size at which ml.train is run as well; 0 for none (default: "
        "%(default)s, the competition's)",
    )
    parser.add_argument(
        "--keep", action="store_true", help="keep data/bench-<users> and what it holds"
    )
    options = parser.parse_args(arguments)
    return cli.run(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    if min(options.users) < MIN_USERS:
        raise cli.CommandError(f"--users must be {MIN_USERS} or more.")
    if options.seed < 0:
        raise cli.CommandError("--seed must be 0 or more.")
    cli.check_writable(options.write)
    # the page itself, written after each size, would make a checkout a changed one
    machine = this_machine()
    results: list[SizeResult] = []
    for users in dict.fromkeys(options.users):
        with_training = users <= options.train_up_to
        results.append(measure(users, options.seed, with_training, options.keep))
        page = markdown(machine, options.seed, results)
        # a size that fails does not take those before it along
        if options.write is not None:
            write_whole(options.write, page)
    print(f"\n{page}", end="")


def measure(users: int, seed: int, with_training: bool, keep: bool) -> SizeResult:
    """Build (and train) one size and return what was measured.

    Raises
    ------
    CommandError
        A step failed.
    """
    directory = settings.PROJECT_DIR / "data" / f"bench-{users}"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    database = directory / "warehouse.duckdb"
    environment = {
        "PONPARE_DATA_DIR": str(directory / "sample"),
        "PONPARE_DB": str(database),
        "PONPARE_CACHE": str(directory / "cache"),
        "DBT_TARGET_PATH": str(directory / "target"),
        "DBT_LOG_PATH": str(directory / "logs"),
    }
    python = [sys.executable, "-m"]
    sample = [*python, "ml.sample_data", "--users", str(users), "--seed", str(seed)]
    steps = {
        "sample": [*sample, "--out", str(directory / "sample")],
        "dbt build": [dbt_command(), "--quiet", "build"],
    }
    if with_training:
        steps[TRAIN] = [*python, "ml.train"]
    costs: dict[str, Cost] = {}
    try:
        for step, command in steps.items():
            print(f"{users:,} users: {step}", file=sys.stderr, flush=True)
            costs[step] = run_measured(step, command, environment, STDERR)
        # its memory would count as that of the processes started after it
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            result = pool.submit(inspect, users, costs, directory).result()
        # last, for what it leaves behind is not what a build of everything leaves
        print(f"{users:,} users: {WEEK}", file=sys.stderr, flush=True)
        result.costs[WEEK] = _add_week(database, environment, directory)
        return result
    finally:
        if not keep:
            _remove_models(database)
            shutil.rmtree(directory, ignore_errors=True)


def _add_week(database: Path, environment: dict[str, str], directory: Path) -> Cost:
    """Build the last two cutoffs again, as those are that a new week concerns.

    The week before has got its purchases, and a week to be served has come.
    """
    own = environment | {"DBT_TARGET_PATH": str(directory / "target-week")}
    dbt = [dbt_command(), "--quiet"]
    # as if it had been built incrementally before
    run_measured("dbt parse", [*dbt, "parse", *INCREMENTAL], own, STDERR)
    with duckdb.connect(str(database)) as connection:
        connection.execute(
            "delete from intermediate.int_finished_cutoffs where cutoff_date in ("
            "select cutoff_date from features.cutoffs "
            "order by cutoff_date desc limit 2)"
        )
    return run_measured(WEEK, [*dbt, *BUILD, *INCREMENTAL], own, STDERR)


def inspect(users: int, costs: dict[str, Cost], directory: Path) -> SizeResult:
    """Read what a build left behind: row counts, the slowest models and tests."""
    database = directory / "warehouse.duckdb"
    run = json.loads((directory / "target" / "run_results.json").read_bytes())
    manifest = json.loads((directory / "target" / "manifest.json").read_bytes())
    with open_warehouse(database, read_only=True) as warehouse:
        counts = _table_counts(warehouse)
        ((n_pairs,),) = warehouse.rows(
            "select sum(n_coupons * n_users)::bigint from features.cutoffs inner join "
            "(select cutoff_date, count(*) as n_users from features.feature_users "
            "group by all) using (cutoff_date)"
        )
        speed = _speed(warehouse) if TRAIN in costs else None
        serving = _serving(warehouse) if TRAIN in costs else []
    models = slowest(run, manifest, "model", counts, N_MODELS)
    queries = {
        result["unique_id"].split(".")[-1]: result["compiled_code"]
        for result in run["results"]
        if result.get("compiled_code") and result["unique_id"].startswith("model.")
    }
    explained = [model.name for model in models if model.name in queries][:N_EXPLAINED]
    bound_by = bottlenecks(database, {name: queries[name] for name in explained})
    return SizeResult(
        users=users,
        costs=costs,
        rows={name: counts[name] for name in MAIN_TABLES}
        | {"ml.scoring_pairs (view)": n_pairs},
        n_events=sum(counts[name] for name in EVENTS),
        warehouse_mb=database.stat().st_size / 1e6,
        models=[
            Timed(m.name, m.seconds, m.n_rows, bound_by.get(m.name, "")) for m in models
        ],
        tests=slowest(run, manifest, "test", counts, N_TESTS),
        speed=speed,
        serving=serving,
    )


def slowest(
    run: dict, manifest: dict, resource_type: str, counts: dict[str, int], n: int
) -> list[Timed]:
    """Return the slowest models or tests of dbt's run results, slowest first.

    A test has the rows of the model it is attached to, a fact about several models
    those of the largest.

    Parameters
    ----------
    counts
        Rows by schema and name of each table; what is not there is a view.
    """
    results = [
        result
        for result in run["results"]
        if result["unique_id"].startswith(f"{resource_type}.")
    ]
    results.sort(key=lambda result: -result["execution_time"])
    timed = []
    for result in results[:n]:
        node = manifest["nodes"][result["unique_id"]]
        looked_at = [node["unique_id"]]
        if resource_type == "test":
            attached = node.get("attached_node")
            looked_at = [attached] if attached else node["depends_on"]["nodes"]
        n_rows = [_rows_of(manifest["nodes"].get(name), counts) for name in looked_at]
        largest = max((n for n in n_rows if n is not None), default=None)
        timed.append(Timed(node["name"], result["execution_time"], largest))
    return timed


def _rows_of(node: dict | None, counts: dict[str, int]) -> int | None:
    """Return the rows of a model's table; None for a view or a source."""
    return counts.get(f"{node['schema']}.{node['name']}") if node else None


def this_machine() -> Machine:
    """Return what is known of the machine and of the project's version."""
    has_affinity = hasattr(os, "sched_getaffinity")
    return Machine(
        cores=len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1,
        memory_gb=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9,
        duckdb_version=duckdb.__version__,
        code_version=code_version(),
    )


def _table_counts(warehouse: Warehouse) -> dict[str, int]:
    names = warehouse.rows(
        "select table_schema, table_name from information_schema.tables "
        "where table_type = 'BASE TABLE' or (table_schema = 'core') order by all"
    )
    return {
        f"{schema}.{name}": warehouse.rows(f'select count(*) from "{schema}"."{name}"')[
            0
        ][0]
        for schema, name in names
    }


def _speed(warehouse: Warehouse) -> Speed | None:
    rows = warehouse.rows(
        "select model_name, n_training_pairs, fit_seconds, n_evaluated_pairs, "
        "predict_seconds, pairs_per_second, latency_p50_ms, latency_p95_ms "
        "from ml.model_runs where is_default and pairs_per_second is not null "
        "order by started_at desc limit 1"
    )
    return Speed(*rows[0]) if rows else None


def _serving(warehouse: Warehouse) -> list[Load]:
    """Return what clients wait for lists of the week that was published last."""
    ((cutoff,),) = warehouse.rows(
        "select cutoff_date from ml.model_runs where is_default "
        "order by started_at desc limit 1"
    )
    return measure_serving(warehouse, cutoff)


def _remove_models(database: Path) -> None:
    """Remove the model files that the benchmark's own training wrote."""
    if not database.is_file():
        return
    try:
        with duckdb.connect(str(database), read_only=True) as connection:
            files = connection.execute(
                "select model_file from ml.model_runs where model_file is not null"
            ).fetchall()
    except duckdb.Error:
        return
    for (name,) in files:
        shutil.rmtree((settings.PROJECT_DIR / name).parent, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
