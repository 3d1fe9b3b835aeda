"""Measure every model on many weeks, each time fitted on the weeks before.

A rolling origin: for each labelled cutoff asked for, fit on all labelled cutoffs in use
before it, score all registered users x all coupons released in its week, measure. Every
measure of every week goes to ml.model_metrics, as do means over the weeks with paired
differences to the default model (mean_map_at_10).
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

import numpy as np

from ml import cli, metrics
from ml.backtest_page import Summary, page, text
from ml.chosen import ChosenSettings, read_chosen
from ml.evaluate import Metric
from ml.files import write_whole
from ml.fitting import (
    Evaluation,
    Fitted,
    fit_models,
    fit_on,
    measure,
    possible_models,
    score,
)
from ml.models import MODELS
from ml.pairs import read_training_set
from ml.progress import peak_memory_mb, step
from ml.publish import insert_rows, metric_rows
from ml.reference.model import FrozenReference
from ml.reference.pairs import make_pairs
from ml.version import code_version
from ml.warehouse import Warehouse, WarehouseError, open_warehouse

EXAMPLE = "example: python -m ml.backtest --from 2012-04-15 --to 2012-06-10"
MIN_TRAINING_WEEKS = 2
#: The frozen reference and all models that can be published.
MEASURED = (FrozenReference.name, *MODELS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("backtest", __doc__, EXAMPLE)
    parser.add_argument(
        "--from", dest="first", type=cli.date, required=True, help="first cutoff"
    )
    parser.add_argument(
        "--to", dest="last", type=cli.date, required=True, help="last cutoff"
    )
    parser.add_argument(
        "--models",
        nargs="+",
        type=cli.model_name,
        choices=MEASURED,
        metavar="MODEL",
        help=f"models to measure: {', '.join(MEASURED)} (default: all "
        "that the data allow)",
    )
    parser.add_argument(
        "--apart",
        nargs="*",
        type=cli.date,
        default=[],
        metavar="DATE",
        help="weeks without which the means are given as well",
    )
    cli.add_seed(parser)
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="also write the results as a page"
    )
    options = parser.parse_args(arguments)
    return cli.run(lambda: backtest(options))


def backtest(options: argparse.Namespace) -> list[Summary]:
    """Fit, score and measure week by week; publish, print and return the means.

    Every week is published when it is measured, so that an interrupted backtest keeps
    what it has measured.

    Raises
    ------
    CommandError
        The page cannot be written.
    WarehouseError
        The warehouse is not built, or no cutoff asked for can be measured.
    """
    cli.check_writable(options.write)
    started_at = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    with open_warehouse(read_only=True) as warehouse:
        fingerprint = warehouse.data_fingerprint()
        chosen = read_chosen(warehouse)
        labelled = [c.date for c in warehouse.cutoffs() if c.is_labelled]
        names = options.models or [FrozenReference.name, *possible_models(warehouse)]
    weeks = weeks_between(labelled, options.first, options.last)
    run_id = f"backtest-{started_at:%Y%m%dT%H%M%S}-{fingerprint[:8]}"
    names = [name for name in MEASURED if name in names]
    reference = chosen.default_model if chosen.default_model in names else names[-1]
    print(f"  settings: {chosen.source}", file=sys.stderr)
    done: dict[dt.date, Evaluation] = {}
    for number, week in enumerate(weeks, start=1):
        print(f"[{number}/{len(weeks)}] {week}", file=sys.stderr)
        with open_warehouse(read_only=True) as warehouse:
            earlier = [day for day in labelled if day < week]
            done[week] = _measure_week(
                warehouse, earlier, week, chosen, names, reference, options.seed
            )
        week_id = f"{run_id}-{week:%Y%m%d}"
        rows = _run_rows(done[week], week_id, fingerprint, started_at)
        with open_warehouse() as warehouse:
            _publish(warehouse, fingerprint, rows, week_id, done[week].metrics, week)
    summaries = summarise(done, reference, options.apart, options.seed)
    with open_warehouse() as warehouse:
        means = [Metric(*astuple(summary)) for summary in summaries]
        _publish(warehouse, fingerprint, [], f"{run_id}-mean", means, weeks[-1])
    print(f"\n{text(done, summaries, reference)}")
    if options.write is not None:
        made = page(
            *(done, summaries, reference, _command(options)),
            *(chosen.source, code_version()),
        )
        write_whole(options.write, made)
    return summaries


def _command(options: argparse.Namespace) -> str:
    """Return the command that repeats the run and writes its page."""
    words = ["python -m ml.backtest", f"--from {options.first} --to {options.last}"]
    if options.models:
        words.append(f"--models {' '.join(options.models)}")
    if options.apart:
        words.append(f"--apart {' '.join(map(str, options.apart))}")
    if options.seed:
        words.append(f"--seed {options.seed}")
    return " ".join([*words, "--write FILE"])


def weeks_between(
    labelled: Sequence[dt.date], first: dt.date, last: dt.date
) -> list[dt.date]:
    """Return the labelled cutoffs from first to last that have weeks to learn from.

    Raises
    ------
    WarehouseError
        There is none; the message says which there are.
    """
    possible = sorted(labelled)[MIN_TRAINING_WEEKS:]
    weeks = [day for day in possible if first <= day <= last]
    if not weeks:
        known = f"{possible[0]} to {possible[-1]}" if possible else "none"
        raise WarehouseError(
            f"no labelled cutoff from {first} to {last} has {MIN_TRAINING_WEEKS} weeks "
            f"before it to learn from; those that have: {known}. Earlier ones come "
            "into use with `dbt build --vars '{n_cutoffs: 52}'`."
        )
    return weeks


def _measure_week(
    warehouse: Warehouse,
    earlier: list[dt.date],
    week: dt.date,
    chosen: ChosenSettings,
    names: Sequence[str],
    reference: str,
    random_state: int,
) -> Evaluation:
    parameters = {name: chosen.parameters[name] for name in names if name in MODELS}
    fitted = None
    if FrozenReference.name in names:
        # first, so that its pairs are gone when those of all other models are read
        fitted = _fit_frozen(warehouse, earlier, week, random_state)
    if parameters:
        others = fit_models(warehouse, earlier, parameters, random_state)
        fitted = others if fitted is None else others.with_others(fitted)
    grid = score(warehouse, fitted, week)
    return measure(warehouse, fitted, grid, reference, random_state)


def _fit_frozen(
    warehouse: Warehouse, earlier: list[dt.date], week: dt.date, random_state: int
) -> Fitted:
    """Fit the frozen reference on the earlier weeks, with features of its own."""
    with step("making the reference's features"):
        contract = make_pairs(warehouse, earlier, week)
        training = read_training_set(warehouse, contract, earlier)
    models = {FrozenReference.name: FrozenReference(random_state)}
    return fit_on(training, models, random_state)


def summarise(
    done: dict[dt.date, Evaluation],
    reference: str,
    apart: Sequence[dt.date],
    random_state: int,
) -> list[Summary]:
    """Return MAP@10 averaged over the weeks, and differences to the reference.

    A bootstrap sample draws users, with all of their weeks: one user's weeks are not
    independent of each other.
    """
    slices = {"all": list(done), "above_100_yen": list(done)}
    for day in apart:
        if day in done and len(done) > 1:
            slices[f"without_{day}"] = [week for week in done if week != day]
    names = list(next(iter(done.values())).per_user.precision)
    n_users = len(next(iter(done.values())).per_user.precision[names[0]])
    counts = metrics.bootstrap_counts(n_users, metrics.N_BOOTSTRAP, random_state)
    everyone = np.ones(n_users)
    summaries = []
    for slice_name, weeks in slices.items():
        mean = {
            name: np.mean(
                [
                    (
                        done[week].per_user.dear_precision
                        if slice_name == "above_100_yen"
                        else done[week].per_user.precision
                    )[name]
                    for week in weeks
                ],
                axis=0,
            )
            for name in names
        }
        for name in names:
            interval = metrics.ratio_interval(mean[name], everyone, counts)
            summaries.append(Summary(name, "mean_map_at_10", slice_name, *interval))
        for name in names:
            if name == reference:
                continue
            gain = metrics.ratio_interval(
                mean[reference] - mean[name], everyone, counts
            )
            summaries.append(
                Summary(
                    reference,
                    "mean_map_at_10_difference",
                    f"{slice_name}_to_{name}",
                    *gain,
                )
            )
    return summaries


def _run_rows(
    evaluation: Evaluation,
    run_id: str,
    fingerprint: str,
    started_at: dt.datetime,
) -> list[dict]:
    shared = {
        "run_id": run_id,
        "cutoff_date": evaluation.cutoff,
        "evaluated_cutoff_date": evaluation.cutoff,
        "data_fingerprint": fingerprint,
        "code_version": code_version(),
        "peak_memory_mb": peak_memory_mb(),
        # nothing of a backtest is published as scores
        "is_default": False,
        "model_file": None,
        "started_at": started_at,
        "finished_at": dt.datetime.now(dt.UTC).replace(tzinfo=None),
    }
    return [row | shared for row in evaluation.model_rows]


def _publish(
    warehouse: Warehouse,
    fingerprint: str,
    rows: list[dict],
    run_id: str,
    measured: Sequence[Metric],
    cutoff: dt.date,
) -> None:
    """Add a week's runs and metrics, all or nothing."""
    warehouse.check_same_data(
        fingerprint,
        "what was measured before stands in ml.model_metrics. Run it again.",
    )
    with warehouse.transaction():
        insert_rows(warehouse, "model_runs", rows)
        insert_rows(warehouse, "model_metrics", metric_rows(run_id, cutoff, measured))


if __name__ == "__main__":
    sys.exit(main())
