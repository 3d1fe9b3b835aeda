"""Measure how build and training grow with the data, and what bounds them.

For each number of users: a synthetic sample, `dbt build` with all tests, `ml.train`,
clients that ask for lists; then the incremental build of a week more (with data tests,
without unit tests, as the weekly job does it), of a warehouse that was built of the
files as they were a week before. Each in a process of its own, in a directory
data/bench-<users> that is emptied before and removed afterwards. Prints a page of
seconds, peak memory and the slowest models. With --target spark: the sample, its
Parquet, `dbt build` with all data tests on Spark, on all cores of this machine (run it
with .venv-spark/bin/python).
"""

from __future__ import annotations

import argparse
import datetime as dt
import multiprocessing
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypeVar

import duckdb

from ml import bench_record, bench_spark, cli, settings
from ml.bench_page import BUILD, REAL_USERS, TRAIN, SizeResult, Speed, Timed, markdown
from ml.bench_runs import (
    EVENTS,
    MAIN_TABLES,
    N_MODELS,
    N_TESTS,
    SAMPLE,
    STDERR,
    read_build,
    run_steps,
    sample_command,
    slowest,
    this_machine,
    variables,
    work_directory,
)
from ml.bigquery_bytes import GIB, estimate, table_bytes
from ml.bottlenecks import bottlenecks
from ml.child import Cost, run_measured
from ml.cut_files import WHOLE, Span, cut_files
from ml.files import write_whole
from ml.manifest import dbt_command
from ml.serving_load import Load, measure_serving
from ml.warehouse import DUCKDB, SPARK, Warehouse, open_warehouse
from ml.week import BUILD as BUILD_OF_THE_WEEK
from ml.week import INCREMENTAL

EXAMPLE = "example: python -m ml.bench --users 2000 --write docs/benchmarks.md"

#: A quarter of the competition's users, all of them, four times as many.
SIZES = (REAL_USERS // 4, REAL_USERS, 4 * REAL_USERS)
SPARK_SIZES = (500, 2000, REAL_USERS // 4)
MIN_USERS = 100
WEEK = "a week more"
N_EXPLAINED = 5
Result = TypeVar("Result")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("bench", __doc__, EXAMPLE)
    parser.add_argument(
        "--users",
        type=int,
        nargs="+",
        help="sizes of the samples (default: 1/4, 1/1 and 4/1 of the competition's; "
        "on Spark " + ", ".join(map(str, SPARK_SIZES)) + ")",
    )
    parser.add_argument(
        "--seed", type=int, default=7, help="seed of the samples (default: %(default)s)"
    )
    parser.add_argument(
        "--until",
        type=cli.date,
        metavar="YYYY-MM-DD",
        help="last cutoff of the files: of the sample what was known at this Sunday, "
        "for histories of other lengths (default: all of it); not for --record",
    )
    parser.add_argument(
        "--since",
        type=cli.date,
        metavar="YYYY-MM-DD",
        help="without purchases and page views before this day: shorter histories of "
        "the same users (default: all of them); not for --record",
    )
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="also write the page"
    )
    parser.add_argument(
        "--record",
        type=Path,
        metavar="CSV",
        help="also add the figures to this table, in place of those of the same "
        "engine, size and step: what ml.engine_costs reads",
    )
    parser.add_argument(
        "--train-up-to",
        type=int,
        default=REAL_USERS,
        metavar="USERS",
        help="largest size at which ml.train is run as well; 0 for none (default: "
        "%(default)s, the competition's; nothing is trained on Spark)",
    )
    parser.add_argument(
        "--keep",
        action="store_true",
        help="keep data/bench-<users> (on Spark bench-spark-<users>)",
    )
    parser.add_argument(
        "--target",
        choices=(DUCKDB, SPARK),
        default=DUCKDB,
        help="engine that is measured (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    return cli.run(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    on_spark = options.target == SPARK
    sizes = options.users or (SPARK_SIZES if on_spark else SIZES)
    if min(sizes) < MIN_USERS:
        raise cli.CommandError(f"--users must be {MIN_USERS} or more.")
    if options.seed < 0:
        raise cli.CommandError("--seed must be 0 or more.")
    span = Span(options.since, options.until)
    for name, day in (("--since", span.since), ("--until", span.until)):
        if day is not None and (on_spark or options.record is not None):
            raise cli.CommandError(f"{name} goes neither with Spark nor with --record.")
    if span.until is not None and span.until.isoweekday() != 7:
        raise cli.CommandError("--until must be a Sunday.")
    if span.since and span.until and span.since >= span.until:
        raise cli.CommandError("--since must be before --until.")
    cli.check_writable(options.write)
    cli.check_writable(options.record, "--record")
    if options.record is not None and options.record.is_file():
        # what cannot be added to is told before hours are spent
        bench_record.read(options.record)
    engine = bench_spark.engine() if on_spark else f"DuckDB {duckdb.__version__}"
    # the page itself, written after each size, would make a checkout a changed one
    machine = this_machine(engine)
    results: list[SizeResult] = []
    for users in dict.fromkeys(sizes):
        if on_spark:
            result = bench_spark.measure(users, options.seed, options.keep)
        else:
            with_training = users <= options.train_up_to
            result = measure(users, options.seed, span, with_training, options.keep)
        results.append(result)
        page = markdown(machine, options.seed, results, span)
        # a size that fails does not take those before it along
        if options.write is not None:
            write_whole(options.write, page)
        if options.record is not None:
            found = bench_record.figures(options.target, machine, [result])
            bench_record.add(options.record, found)
    print(f"\n{page}", end="")


def measure(
    users: int, seed: int, span: Span, with_training: bool, keep: bool
) -> SizeResult:
    """Build (and train) one size and return what was measured.

    Parameters
    ----------
    span
        What part of the sample the files hold.

    Raises
    ------
    CommandError
        A step failed.
    """
    with work_directory(f"bench-{users}", keep) as directory:
        database = directory / "warehouse.duckdb"
        environment = variables(directory)
        sampling = {SAMPLE: sample_command(users, seed, directory)}
        building = {BUILD: [dbt_command(), "--quiet", "build"]}
        try:
            costs = run_steps(users, sampling, environment)
            if span != WHOLE:
                _cut(directory, span)
            costs |= run_steps(users, building, environment)
            warehouse_mb, billed_gib = _apart(stored, directory)
            if with_training:
                training = {TRAIN: [sys.executable, "-m", TRAIN]}
                costs |= run_steps(users, training, environment)
            result = _apart(inspect, users, costs, directory, warehouse_mb, billed_gib)
            # last, for what it leaves behind is not what a build of everything leaves
            print(f"{users:,} users: {WEEK}", file=sys.stderr, flush=True)
            result.costs[WEEK] = _add_week(database, environment, directory)
            return result
        finally:
            if not keep:
                _remove_models(database)


def _cut(directory: Path, span: Span) -> Path:
    """Leave a part of the sample where it was; return where all of it is now."""
    sample = directory / SAMPLE
    whole = directory / f"{SAMPLE}-before-{span.since}-after-{span.until}"
    sample.rename(whole)
    _apart(cut_files, whole, sample, span, directory / "cache")
    return whole


def _add_week(database: Path, environment: dict[str, str], directory: Path) -> Cost:
    """Build of the files as they were a week before, then what the week brought."""
    last = _apart(_last_cutoff, database)
    whole = _cut(directory, Span(until=last - dt.timedelta(days=7)))
    own = environment | {"DBT_TARGET_PATH": str(directory / "target-week")}
    dbt = [dbt_command(), "--quiet"]
    run_measured(
        "dbt build of the week before", [*dbt, *BUILD_OF_THE_WEEK], own, STDERR
    )
    for path in whole.glob("*.csv"):
        os.replace(path, directory / SAMPLE / path.name)
    # as if it had been built incrementally before
    run_measured("dbt parse", [*dbt, "parse", *INCREMENTAL], own, STDERR)
    return run_measured(WEEK, [*dbt, *BUILD_OF_THE_WEEK, *INCREMENTAL], own, STDERR)


def _apart(function: Callable[..., Result], *arguments: object) -> Result:
    """Call a function in a process of its own, and return what it returns.

    What opening a warehouse takes of memory here would count as that of the processes
    that are started afterwards.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def _last_cutoff(database: Path) -> dt.date:
    with open_warehouse(database, read_only=True) as warehouse:
        ((last,),) = warehouse.rows("select max(cutoff_date) from features.cutoffs")
    return last


def stored(directory: Path) -> tuple[float, float]:
    """Return the MB that a build's warehouse has, and the GiB BigQuery would bill."""
    database = directory / "warehouse.duckdb"
    _, manifest = read_build(directory)
    with open_warehouse(database, read_only=True) as warehouse:
        billed = estimate(manifest["nodes"], table_bytes(warehouse))
    n_bytes = sum(n_bytes for _, n_bytes in billed.values())
    return database.stat().st_size / 1e6, n_bytes / GIB


def inspect(
    users: int,
    costs: dict[str, Cost],
    directory: Path,
    warehouse_mb: float,
    billed_gib: float,
) -> SizeResult:
    """Read what a build left behind: row counts, the slowest models and tests."""
    database = directory / "warehouse.duckdb"
    run, manifest = read_build(directory)
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
        warehouse_mb=warehouse_mb,
        billed_gib=billed_gib,
        models=[
            Timed(m.name, m.seconds, m.n_rows, bound_by.get(m.name, "")) for m in models
        ],
        tests=slowest(run, manifest, "test", counts, N_TESTS),
        speed=speed,
        serving=serving,
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
