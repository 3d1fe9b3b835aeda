"""The benchmark's steps on Spark, on all cores of this machine: docs/spark.md."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

import duckdb

from ml import process_memory
from ml.bench_page import BUILD, SizeResult
from ml.bench_runs import (
    EVENTS,
    MAIN_TABLES,
    N_MODELS,
    N_TESTS,
    SAMPLE,
    read_build,
    run_steps,
    sample_command,
    slowest,
    variables,
    work_directory,
)
from ml.cli import CommandError
from ml.csv_checks import quoted
from ml.manifest import dbt_command
from ml.spark.session import check_installed, check_java

EXPORT = "ml.export_raw"


def engine() -> str:
    """Return the engine's name and version.

    Raises
    ------
    WarehouseError
        This Python has no Spark, or the machine no Java.
    CommandError
        The memory of Java cannot be measured.
    """
    check_installed()
    check_java()
    if not process_memory.can_be_read():
        raise CommandError(
            "--target spark reads the memory of Java from /proc, which this system "
            "does not have: run it on Linux."
        )
    return f"Spark {version('pyspark')}"


def measure(users: int, seed: int, keep: bool) -> SizeResult:
    """Build one size with all data tests and return what was measured.

    Raises
    ------
    CommandError
        A step failed.
    """
    with work_directory(f"bench-spark-{users}", keep) as directory:
        raw = directory / "raw"
        environment = variables(directory) | {
            "SPARK_RAW_DIR": str(raw),
            "SPARK_WAREHOUSE_DIR": str(directory / "warehouse"),
            "SPARK_METASTORE_DIR": str(directory / "metastore"),
            # what the machine's loopback is, not what its name stands for
            "SPARK_LOCAL_IP": "127.0.0.1",
            # what the page says, whatever this shell has set
            "SPARK_MASTER_URL": "local[*]",
            "SPARK_THREADS": "2",
            "SPARK_DRIVER_MEMORY": "3g",
            "SPARK_PARTITIONS": "2",
            "SPARK_BROADCAST_BYTES": "1048576",
        }
        build = [dbt_command(), "--quiet", "build", "--target", "spark"]
        steps = {
            SAMPLE: sample_command(users, seed, directory),
            EXPORT: [sys.executable, "-m", EXPORT, "--out", str(raw)],
            BUILD: [*build, "--exclude-resource-type", "unit_test"],
        }
        costs = run_steps(users, steps, environment, with_descendants=True)
        run, manifest = read_build(directory)
        counts = table_counts(directory / "warehouse")
        n_bytes = sum(
            path.stat().st_size for path in (directory / "warehouse").rglob("*.parquet")
        )
        return SizeResult(
            users=users,
            costs=costs,
            rows={name: counts[name] for name in MAIN_TABLES},
            n_events=sum(counts[name] for name in EVENTS),
            warehouse_mb=n_bytes / 1e6,
            models=slowest(run, manifest, "model", counts, N_MODELS),
            tests=slowest(run, manifest, "test", counts, N_TESTS),
        )


def table_counts(warehouse: Path) -> dict[str, int]:
    """Return the rows of Spark's tables, by schema and name, from their Parquet."""
    with duckdb.connect() as connection:
        return {
            f"{table.parent.name.removesuffix('.db')}.{table.name}": connection.execute(
                f"select count(*) from read_parquet({quoted(f'{table}/*.parquet')})"
            ).fetchall()[0][0]
            for table in sorted(warehouse.glob("*.db/*"))
            if any(table.glob("*.parquet"))
        }
