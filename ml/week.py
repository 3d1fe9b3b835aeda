"""The weekly job: build what is new, fit or reuse the champion, score, report, monitor.

The build computes the weeks that are new or have changed. The champion's last model
file scores the week if fewer than --refit-after labelled weeks have come that it was
not fitted on; otherwise `python -m ml.train` fits and evaluates anew. A step that was
finished for this cutoff, these files and this version of the code is not repeated, so
that a job that broke off goes on where it stood; --again repeats all. One line a step
goes to standard output, everything else to the log that the first line names.

Exit codes: 0 done, 1 a step failed, 2 the command line is wrong, 3 done and
`python -m ml.monitor` raised alarms, 4 another weekly job is at work on this warehouse.
"""

from __future__ import annotations

import argparse
import datetime as dt
import fcntl
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ml import cli, settings
from ml.champion import current_champion
from ml.child import run_measured
from ml.files import write_whole
from ml.manifest import dbt_command
from ml.model_files import file_to_score
from ml.monitor import ALARMED
from ml.pipeline import BEHIND_TRAINING
from ml.raw_files import find_raw_files
from ml.registry import FORMAT, format_of
from ml.score import learned_from_other_marts
from ml.train import choose_cutoff
from ml.version import code_fingerprint, code_version
from ml.warehouse import WarehouseError, open_warehouse

EXAMPLE = "example: python -m ml.week --cutoff 2012-06-17"
#: What dbt does every week, and the option by which it adds to what is there.
BUILD = ("build", "--exclude-resource-type", "unit_test")
INCREMENTAL = ("--vars", "{incremental: true}")
REFIT_AFTER = 4
LOCKED = 4
#: Lines of the log that are shown when a step fails.
SHOWN_LINES = 15


class LockedError(Exception):
    """Another weekly job is at work on the same warehouse."""


@dataclass(frozen=True)
class Plan:
    """Which week is served, and by which model.

    Attributes
    ----------
    reused
        File of the champion that scores the week; None if it is fitted anew.
    reason
        Why, in words.
    """

    cutoff: dt.date
    reused: str | None
    reason: str


class Progress:
    """Which steps are finished, kept in a file beside the warehouse.

    What was finished for another cutoff, other files or another version of the code
    does not count.
    """

    def __init__(self, path: Path, key: dict[str, str], again: bool) -> None:
        self.path = path
        self.key = key
        self.done: dict[str, str] = {}
        if path.is_file() and not again:
            kept = json.loads(path.read_text(encoding="utf-8"))
            if kept["of"] == key:
                self.done = kept["done"]

    def finish(self, step: str) -> None:
        """Write down that a step is finished."""
        self.done[step] = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        content = {"of": self.key, "done": self.done}
        write_whole(self.path, json.dumps(content, indent=2) + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("week", __doc__, EXAMPLE)
    parser.add_argument(
        "--cutoff",
        type=cli.date,
        help="Sunday whose target week is served (default: the latest with candidates)",
    )
    parser.add_argument(
        "--refit-after",
        type=int,
        default=REFIT_AFTER,
        metavar="WEEKS",
        help="fit anew when so many labelled weeks have come that the champion has not "
        "learned from; 1 fits every week (default: %(default)s)",
    )
    parser.add_argument(
        "--again",
        action="store_true",
        help="repeat the steps that are finished, and compute all weeks anew",
    )
    options = parser.parse_args(arguments)
    if options.refit_after < 1:
        parser.error("--refit-after: at least 1 week")
    found: list[int] = []
    try:
        code = cli.run(lambda: found.append(run_week(options)))
    except LockedError as error:
        print(f"error: {error}", file=sys.stderr)
        return LOCKED
    return code or found[0]


def run_week(options: argparse.Namespace) -> int:
    """Run the steps that are not finished; return the exit code of the monitoring.

    Raises
    ------
    LockedError
        Another weekly job is at work.
    CommandError, WarehouseError, RawFileError
        A step failed; those after it were not run.
    """
    beside = settings.warehouse_path()
    beside.parent.mkdir(parents=True, exist_ok=True)
    with _locked(beside.with_suffix(".week.lock")):
        progress = Progress(
            beside.with_suffix(".week.json"), _key(options), options.again
        )
        log = settings.PROJECT_DIR / "logs" / f"week-{beside.stem}.log"
        log.parent.mkdir(exist_ok=True)
        print(f"weekly job on {beside}, log {log.relative_to(settings.PROJECT_DIR)}")
        with log.open("ab") as output:
            return _run_steps(options, progress, log, output.fileno())


def plan_week(cutoff: dt.date | None, refit_after: int) -> Plan:
    """Decide whether the champion's last file scores the week or it is fitted anew.

    Raises
    ------
    WarehouseError
        The warehouse is not built, or the cutoff cannot be served.
    """
    with open_warehouse(read_only=True) as warehouse:
        cutoffs = warehouse.cutoffs()
        day = choose_cutoff(cutoffs, cutoff).date
        holder = current_champion(warehouse)
        if holder is None:
            return Plan(day, None, "no model was published yet")
        try:
            file = file_to_score(warehouse, holder.recipe, day)
        except WarehouseError:
            return Plan(day, None, f"no fit of {holder.recipe.recipe_id} before it")
        news = [
            c.date for c in cutoffs if c.is_labelled and file.last_week < c.date < day
        ]
        if format_of(settings.PROJECT_DIR / file.path) not in (None, FORMAT):
            return Plan(day, None, f"{file.path} is of another version of the project")
        weeks = f"{len(news)} labelled weeks since its last one, {file.last_week}"
        if len(news) >= refit_after:
            return Plan(day, None, weeks)
        if learned_from_other_marts(warehouse, file, day):
            return Plan(day, None, f"the marts changed since {file.path} was fitted")
        return Plan(day, file.run_id, weeks)


def _run_steps(
    options: argparse.Namespace, progress: Progress, log: Path, output: int
) -> int:
    dbt = dbt_command()
    build = [dbt, *BUILD]
    if not options.again and _is_built_by_this_code():
        build += INCREMENTAL
    _step("build", build, progress, log, output)
    plan = plan_week(options.cutoff, options.refit_after)
    cutoff = ["--cutoff", str(plan.cutoff)]
    if "publish" not in progress.done:
        verb = "fit anew" if plan.reused is None else f"reuse run {plan.reused}"
        _say("model", f"{verb} for {plan.cutoff}: {plan.reason}")
    if plan.reused is None:
        command = [sys.executable, "-m", "ml.train", *cutoff]
    else:
        command = [sys.executable, "-m", "ml.score", *cutoff, "--run", plan.reused]
    _step("publish", command, progress, log, output)
    behind = [dbt, "build", "--select", BEHIND_TRAINING]
    _step("check what was published", behind, progress, log, output)
    _step("report", [sys.executable, "-m", "ml.report"], progress, log, output)
    _say("done", f"recommendations of the week from {plan.cutoff} are published")
    # alarms are told every time, whatever was finished before
    monitor = [sys.executable, "-m", "ml.monitor", *cutoff]
    return run_measured("monitor", monitor, accepted=(0, ALARMED)).exit_code


def _is_built_by_this_code() -> bool:
    """Return whether a build may add to the marts: others have other columns."""
    path = settings.warehouse_path()
    if not path.is_file():
        return False
    with open_warehouse(read_only=True, must_be_built=False) as warehouse:
        return warehouse.is_built_by(code_fingerprint())


def _step(
    name: str, command: Sequence[str], progress: Progress, log: Path, output: int
) -> None:
    """Run a step unless it is finished, and say so in one line."""
    if name in progress.done:
        _say(name, f"finished before, {progress.done[name]}")
        return
    begins_at = log.stat().st_size
    try:
        cost = run_measured(name, command, stdout=output, stderr=output)
    except cli.CommandError as error:
        _say(name, "failed")
        with log.open("rb") as file:
            file.seek(begins_at)
            lines = file.read().decode("utf-8", "replace").splitlines()
        print("\n".join(f"    {line}" for line in lines[-SHOWN_LINES:]))
        raise cli.CommandError(
            str(error).replace("the lines above say why", f"{log} says why")
        ) from error
    progress.finish(name)
    _say(name, f"{cost.seconds:.1f} s, peak {cost.peak_memory_mb:,.0f} MB")


def _say(step: str, what: str) -> None:
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    print(f"{now} {step}: {what}", flush=True)


def _key(options: argparse.Namespace) -> dict[str, str]:
    """Return what a finished step was finished for."""
    version = code_version()
    if version.endswith("-dirty"):
        # changes that are not committed have no name: nothing counts as finished
        version += f" {dt.datetime.now(dt.UTC).isoformat()}"
    files = find_raw_files(settings.data_dir(), settings.cache_dir())
    return {
        "cutoff": str(options.cutoff or "latest"),
        "refit_after": str(options.refit_after),
        "code_version": version,
        **{file.source.name: file.fingerprint for file in files},
    }


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock that ends with the process, however that ends."""
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise LockedError(
                f"another weekly job, process {file.read().strip() or 'unknown'}, is "
                f"at work on this warehouse and holds {path}: wait for its end."
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


if __name__ == "__main__":
    sys.exit(main())
