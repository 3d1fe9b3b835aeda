"""Run everything on the raw files: build the marts, train, score, build what follows.

Each step is a process of its own, because only one may hold the warehouse open. Ends
with a table of steps (seconds, peak memory), row counts and results.
"""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ml import cli, settings, summary

EXAMPLE = "example: PONPARE_DATA_DIR=data/sample python -m ml.pipeline"

#: dbt's selection of what training writes and of the models behind it.
BEHIND_TRAINING = "path:models/marts/ml/written_by_training+"


@dataclass(frozen=True)
class FinishedStep:
    """What a step cost."""

    title: str
    seconds: float
    peak_memory_mb: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("pipeline", __doc__, EXAMPLE)
    parser.add_argument(
        "--cutoff",
        type=cli.date,
        help="Sunday whose target week is scored (default: the latest with candidates)",
    )
    options = parser.parse_args(arguments)
    return cli.run(lambda: run_pipeline(options.cutoff))


def run_pipeline(cutoff: dt.date | None = None) -> list[FinishedStep]:
    """Run all steps and print what came out.

    Raises
    ------
    cli.CommandError
        A step ended with an error; the steps after it were not run.
    """
    dbt = str(Path(sys.executable).parent / "dbt")
    train = [sys.executable, "-m", "ml.train"]
    if cutoff is not None:
        train += ["--cutoff", str(cutoff)]
    steps = [
        ("dbt build", [dbt, "build"]),
        ("train, evaluate, score", train),
        ("models behind the scores", [dbt, "build", "--select", BEHIND_TRAINING]),
    ]
    finished = []
    for number, (title, command) in enumerate(steps, start=1):
        print(f"\n[{number}/{len(steps)}] {title}", flush=True)
        finished.append(_run(title, command))
    print(f"\n{'step':<28}{'seconds':>9}{'peak MB':>9}")
    for step in finished:
        print(f"{step.title:<28}{step.seconds:>9.1f}{step.peak_memory_mb:>9.0f}")
    summary.print_summary()
    return finished


def _run(title: str, command: list[str]) -> FinishedStep:
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=settings.PROJECT_DIR)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    code = os.waitstatus_to_exitcode(status)
    process.returncode = code
    if code != 0:
        raise cli.CommandError(
            f"step {title!r} failed with exit code {code}; the lines above say why. "
            f"Command: {' '.join(command)}"
        )
    unit = 1 if sys.platform == "darwin" else 1024
    return FinishedStep(title, seconds, usage.ru_maxrss * unit / 1e6)


if __name__ == "__main__":
    sys.exit(main())
