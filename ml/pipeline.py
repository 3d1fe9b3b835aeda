"""Run everything on the raw files: build the marts, train, score, write the report.

Each step is a process of its own, because only one may hold the warehouse open. Ends
with a table of steps (seconds, peak memory), row counts and results.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Sequence

from ml import cli, summary
from ml.child import Cost, run_measured
from ml.manifest import dbt_command

EXAMPLE = "example: PONPARE_DATA_DIR=data/sample python -m ml.pipeline"

#: dbt's selection of what training writes and of the models behind it.
BEHIND_TRAINING = "path:models/marts/ml/written_by_training+"


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


def run_pipeline(cutoff: dt.date | None = None) -> dict[str, Cost]:
    """Run all steps, print what came out, return the cost of each step.

    Raises
    ------
    cli.CommandError
        A step ended with an error; the steps after it were not run.
    """
    dbt = dbt_command()
    train = [sys.executable, "-m", "ml.train"]
    if cutoff is not None:
        train += ["--cutoff", str(cutoff)]
    steps = [
        ("dbt build", [dbt, "build"]),
        ("train, evaluate, score", train),
        ("models behind the scores", [dbt, "build", "--select", BEHIND_TRAINING]),
        ("report", [sys.executable, "-m", "ml.report"]),
    ]
    finished = {}
    for number, (title, command) in enumerate(steps, start=1):
        print(f"\n[{number}/{len(steps)}] {title}", flush=True)
        finished[title] = run_measured(title, command)
    print(f"\n{'step':<28}{'seconds':>9}{'peak MB':>9}")
    for title, cost in finished.items():
        print(f"{title:<28}{cost.seconds:>9.1f}{cost.peak_memory_mb:>9.0f}")
    summary.print_summary()
    return finished


if __name__ == "__main__":
    sys.exit(main())
