"""Try the alarms where the truth is known: on steady samples and on drifting ones.

For each seed two worlds are drawn and built, the same to the last row up to a week in
which tastes, prices and what new users tell change in one of them. One model is fitted
before the last ten weeks of each and serves all of them.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ml import cli, settings
from ml.child import run_measured
from ml.files import write_whole
from ml.manifest import dbt_command
from ml.markdown import table
from ml.pipeline import BEHIND_TRAINING
from ml.warehouse import open_warehouse

EXAMPLE = (
    "example: python -m ml.monitor_trial --seeds 13 14 --write docs/monitoring-trial.md"
)

#: Seeds on which the thresholds were set; nothing is shown by them.
SET_ON = "7 to 12"
CHANGE = dt.date(2012, 5, 6)
#: Weeks in which a steady world must be silent.
N_SILENT_WEEKS = 10


@dataclass(frozen=True)
class Tried:
    """What rang in one world: subjects of alarms by cutoff."""

    seed: int
    alarms: dict[dt.date, list[str]]
    last_cutoff: dt.date

    def between(self, first: dt.date, end: dt.date) -> list[str]:
        """Return what rang at cutoffs from ``first`` to before ``end``."""
        return [
            subject
            for cutoff, subjects in self.alarms.items()
            if first <= cutoff < end
            for subject in subjects
        ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("monitor_trial", __doc__, EXAMPLE)
    parser.add_argument(
        "--seeds",
        type=int,
        nargs="+",
        default=[13, 14, 15, 16, 17],
        help="seeds of the samples (default: 13 to 17)",
    )
    parser.add_argument(
        "--users", type=int, default=400, help="of a sample (default: %(default)s)"
    )
    parser.add_argument("--write", type=Path, help="also write the page")
    return cli.run(lambda: _run(parser.parse_args(arguments)))


def _run(options: argparse.Namespace) -> None:
    cli.check_writable(options.write)
    steady, drifting = [], []
    for seed in options.seeds:
        steady.append(_try(seed, options.users, drifts=False))
        drifting.append(_try(seed, options.users, drifts=True))
    text = page(steady, drifting, options.users)
    print(text)
    if options.write is not None:
        write_whole(options.write, text)


def _try(seed: int, users: int, drifts: bool) -> Tried:
    data = Path("data") / f"trial-{seed}{'-drift' if drifts else ''}"
    command = [sys.executable, "-m", "ml.sample_data", "--steady"]
    command += ["--users", str(users), "--seed", str(seed), "--out", str(data)]
    if drifts:
        command += ["--drift", str(CHANGE)]
    run_measured("sample", command)
    database = settings.warehouse_of(data)
    environment = {"PONPARE_DATA_DIR": str(data), "PONPARE_DB": str(database)}
    _build(environment)
    with open_warehouse(database, read_only=True) as warehouse:
        served = [cutoff.date for cutoff in warehouse.cutoffs()[-N_SILENT_WEEKS:]]
    for verb, cutoff in zip(
        ("ml.train", *["ml.score"] * (len(served) - 1)), served, strict=True
    ):
        command = [sys.executable, "-m", verb, "--cutoff", str(cutoff)]
        run_measured(f"{verb} {cutoff}", command, environment)
    _build(environment, "--select", BEHIND_TRAINING)
    with open_warehouse(database, read_only=True, must_be_built=False) as warehouse:
        rows = warehouse.rows(
            "select cutoff_date, concat(alarm, ': ', subject) from reporting.alarms "
            "order by all"
        )
        last = warehouse.cutoffs()[-1].date
    alarms: dict[dt.date, list[str]] = {}
    for cutoff, subject in rows:
        alarms.setdefault(cutoff, []).append(subject)
    return Tried(seed, alarms, last)


def _build(environment: Mapping[str, str], *selected: str) -> None:
    """Build models without their tests."""
    command = [
        *(dbt_command(), "build", "--quiet", *selected),
        *("--exclude-resource-type", "test", "unit_test"),
        # every pair of such small worlds, about as many as of the real data
        *("--vars", "{profile_pair_share: 1}"),
    ]
    run_measured("dbt build", command, environment)


def page(steady: Sequence[Tried], drifting: Sequence[Tried], users: int) -> str:
    """Return the page: alarms of both worlds of each seed, before and after."""
    week = dt.timedelta(days=7)
    rows = []
    for quiet, changed in zip(steady, drifting, strict=True):
        first = quiet.last_cutoff - (N_SILENT_WEEKS - 1) * week
        rows.append(
            (
                str(quiet.seed),
                str(len(quiet.between(first, quiet.last_cutoff + week))),
                str(len(changed.between(dt.date.min, CHANGE))),
                str(len(changed.between(CHANGE, CHANGE + week))),
                str(len(changed.between(CHANGE + week, dt.date.max))),
            )
        )
    n_silent = sum(row[1] == "0" for row in rows)
    n_rung = sum(row[2] == "0" and row[3] != "0" for row in rows)
    shown = [
        (str(world.seed), kind, str(cutoff), subject)
        for kind, worlds in (("steady", steady), ("drifting", drifting))
        for world in worlds
        for cutoff, subjects in world.alarms.items()
        for subject in subjects
    ]
    head = (
        "seed",
        f"steady, last {N_SILENT_WEEKS} weeks",
        "drifting, before",
        f"drifting, at {CHANGE}",
        "drifting, later",
    )
    by_seed = "\n".join(table(head, rows))
    every = "\n".join(
        table(("seed", "sample", "cutoff", "alarm"), shown, numbers=False)
    )
    return f"""# Do the alarms ring when they should?

Written by `python -m ml.monitor_trial`. For each seed a steady sample of {users:,}
users and the same with a change from the week of {CHANGE} on: tastes turn, prices rise
by 60 %, new users hide their prefecture. One model, fitted on the weeks before the last
{N_SILENT_WEEKS}, serves all of these. Thresholds (`seeds/monitor_thresholds.csv`) were
set on seeds {SET_ON}.

- Steady samples silent for {N_SILENT_WEEKS} weeks: {n_silent} of {len(rows)}.
- Drifting samples with an alarm in the week of the change and none before: {n_rung} of
  {len(rows)}.

Alarms by seed:

{by_seed}

Every alarm:

{every}
"""


if __name__ == "__main__":
    sys.exit(main())
