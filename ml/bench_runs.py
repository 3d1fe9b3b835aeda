"""What the benchmarks of all engines share: directory, sample, the slowest nodes."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ml import settings
from ml.bench_page import Machine, Timed
from ml.child import Cost, run_measured
from ml.version import code_version

#: What grows with the users' history.
EVENTS = ("core.fct_purchases", "core.fct_visits")
MAIN_TABLES = (
    *("core.dim_users", "core.dim_coupons", *EVENTS),
    *("features.feature_users", "features.feature_coupons", "ml.training_pairs"),
)
N_MODELS, N_TESTS = 10, 5
#: The first step, and where the files are.
SAMPLE = "sample"
#: The page alone goes to the standard output.
STDERR = 2


def this_machine(engine: str) -> Machine:
    """Return what is known of the machine and of the project's version."""
    has_affinity = hasattr(os, "sched_getaffinity")
    return Machine(
        cores=len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1,
        memory_gb=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9,
        engine=engine,
        code_version=code_version(),
    )


@contextmanager
def work_directory(name: str, keep: bool) -> Iterator[Path]:
    """Make an empty directory below data, and remove it afterwards."""
    directory = settings.PROJECT_DIR / "data" / name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    try:
        yield directory
    finally:
        if not keep:
            shutil.rmtree(directory, ignore_errors=True)


def variables(directory: Path) -> dict[str, str]:
    """Return the variables under which everything stays within a directory."""
    return {
        "PONPARE_DATA_DIR": str(directory / SAMPLE),
        "PONPARE_DB": str(directory / "warehouse.duckdb"),
        "PONPARE_CACHE": str(directory / "cache"),
        "DBT_TARGET_PATH": str(directory / "target"),
        "DBT_LOG_PATH": str(directory / "logs"),
        # what the page says, whatever this shell has set
        "PONPARE_MEMORY": "",
        "PONPARE_ML_MEMORY": "",
    }


def sample_command(users: int, seed: int, directory: Path) -> list[str]:
    """Return the command that writes the sample to a directory of that name."""
    numbers = ["--users", str(users), "--seed", str(seed)]
    out = ["--out", str(directory / SAMPLE)]
    return [sys.executable, "-m", "ml.sample_data", *numbers, *out]


def run_steps(
    users: int,
    steps: Mapping[str, Sequence[str]],
    environment: Mapping[str, str],
    with_descendants: bool = False,
) -> dict[str, Cost]:
    """Run commands one after the other and return what each cost.

    Raises
    ------
    CommandError
        A step failed.
    """
    costs = {}
    for step, command in steps.items():
        print(f"{users:,} users: {step}", file=sys.stderr, flush=True)
        costs[step] = run_measured(
            step, command, environment, STDERR, with_descendants=with_descendants
        )
    return costs


def read_build(directory: Path) -> tuple[dict, dict]:
    """Return dbt's run results and manifest of the build of everything."""
    target = directory / "target"
    return (
        json.loads((target / "run_results.json").read_bytes()),
        json.loads((target / "manifest.json").read_bytes()),
    )


def slowest(
    run: dict, manifest: dict, resource_type: str, counts: Mapping[str, int], n: int
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


def _rows_of(node: dict | None, counts: Mapping[str, int]) -> int | None:
    """Return the rows of a model's table; None for a view or a source."""
    return counts.get(f"{node['schema']}.{node['name']}") if node else None
