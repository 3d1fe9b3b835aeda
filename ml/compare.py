"""Compare ways to fit a model, on the weeks that choices are made on.

Three questions: learning_curve (are there enough weeks and users?), missing_values
(what stands in place of a null?) and members (is each model of the blend of use?). Fits
each option on the earlier target weeks before 2012-04-15, judges it by MAP@10 over all
users on the last four of them, and never looks at the weeks that are reported. Writes
to ml.comparisons.
"""

from __future__ import annotations

import argparse
import datetime as dt
import math
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from ml import cli
from ml.chosen import parameters_text, read_chosen
from ml.comparison import Fit, Known, Outcome, compare, fit_option
from ml.comparison_page import Section, text, with_section
from ml.files import write_whole
from ml.judged import read_judged_week, selection_weeks
from ml.markdown import data_title
from ml.models import MODELS, build
from ml.models.blend import Blend
from ml.pairs import in_order_of_hashes, read_contract, read_training_set
from ml.progress import step
from ml.publish import insert_rows
from ml.questions import QUESTIONS, Option
from ml.search_space import SEARCH_ONLY
from ml.version import code_version
from ml.warehouse import Warehouse, open_warehouse

EXAMPLE = "example: python -m ml.compare --question learning_curve"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("compare", __doc__, EXAMPLE)
    parser.add_argument("--question", required=True, choices=QUESTIONS)
    parser.add_argument(
        "--models",
        nargs="+",
        choices=MODELS,
        metavar="MODEL",
        help=f"of {', '.join(MODELS)} (default: those that the question is meant for)",
    )
    cli.add_seed(parser)
    parser.add_argument(
        "--write",
        type=Path,
        metavar="FILE",
        help="also write a section per data set into this page",
    )
    options = parser.parse_args(arguments)
    return cli.run(lambda: run_comparison(options))


def run_comparison(options: argparse.Namespace) -> Section:
    """Fit, judge, publish and print.

    Raises
    ------
    CommandError
        The page cannot be written, or the question does not concern a model.
    WarehouseError
        The warehouse is not built, or has too few weeks to choose on.
    """
    cli.check_writable(options.write)
    question = QUESTIONS[options.question]
    names = options.models or question.models
    for name in names:
        if not question.suits(name):
            raise cli.CommandError(
                f"--models: {name} knows no {question.parameters[0]!r}."
            )
    started_at = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    with open_warehouse(read_only=True) as warehouse:
        warehouse.check_table("comparisons")
        fingerprint = warehouse.data_fingerprint()
        fitting, judged = selection_weeks(warehouse.cutoffs())
        chosen = read_chosen(warehouse).parameters
        # members of a blend need their curves, and are then fitted once for both
        spares_curves = Blend.name not in names
        parameters = {
            name: chosen[name] | (_without_curve(name) if spares_curves else {})
            for name in names
        }
        ways = question.options(len(fitting), chosen)
        fits = _fit(warehouse, fitting, judged, ways, parameters, options.seed)
    section = Section(
        question=options.question,
        title=data_title(len(fits[names[0]][0].precision)),
        parameters={
            name: parameters_text(
                {k: v for k, v in of_model.items() if k not in ways[0].parameters}
            )
            for name, of_model in parameters.items()
        },
        fitting=fitting,
        judged=judged,
        version=code_version(),
        outcomes={n: compare(of_model, options.seed) for n, of_model in fits.items()},
    )
    with open_warehouse() as warehouse:
        _publish(warehouse, section, fingerprint, started_at)
    print(f"\n{text(section)}")
    if options.write is not None:
        page = options.write
        old = page.read_text(encoding="utf-8") if page.is_file() else ""
        write_whole(page, with_section(old, section))
    return section


def _fit(
    warehouse: Warehouse,
    fitting: list[dt.date],
    judged: list[dt.date],
    ways: Sequence[Option],
    parameters: Mapping[str, dict],
    random_state: int,
) -> dict[str, list[Fit]]:
    """Fit every option of every model on pairs that are read once."""
    with step(f"reading {len(fitting)} weeks to fit on, {len(judged)} to judge on"):
        contract = read_contract(warehouse, fitting)
        training = read_training_set(warehouse, contract, fitting)
        weeks = [read_judged_week(warehouse, contract, day) for day in judged]
        user_ids = in_order_of_hashes(warehouse, "user")
    known: dict[tuple, Known] = defaultdict(dict)
    fits = {}
    for name, of_model in parameters.items():
        with step(f"fitting {name}"):
            fits[name] = [
                fit_option(
                    training,
                    option,
                    lambda more, name=name, of_model=of_model: build(
                        name, of_model | more, random_state
                    ),
                    weeks,
                    user_ids,
                    known[option.part],
                )
                for option in ways
            ]
    return fits


def _without_curve(name: str) -> dict:
    """Return what spares a model its curve, which changes no order of its own."""
    has = MODELS[name]().parameters()
    return SEARCH_ONLY if SEARCH_ONLY.keys() <= has.keys() else {}


def _publish(
    warehouse: Warehouse, section: Section, fingerprint: str, started_at: dt.datetime
) -> None:
    """Add the rows of the run to ``ml.comparisons``, all or nothing."""
    warehouse.check_same_data(
        fingerprint,
        "nothing was written. Run `python -m ml.compare` again.",
    )
    shared = {
        "run_id": f"{section.question}-{started_at:%Y%m%dT%H%M%S}-{fingerprint[:8]}",
        "data_fingerprint": fingerprint,
        "question": section.question,
        "first_fitting_cutoff": section.fitting[0],
        "last_fitting_cutoff": section.fitting[-1],
        "first_judged_cutoff": section.judged[0],
        "last_judged_cutoff": section.judged[-1],
        "code_version": section.version,
        "started_at": started_at,
        "finished_at": dt.datetime.now(dt.UTC).replace(tzinfo=None),
    }
    with warehouse.transaction():
        insert_rows(
            warehouse,
            "comparisons",
            [
                shared
                | {"model_name": name, "parameters": section.parameters[name]}
                | _row(outcome)
                for name, outcomes in section.outcomes.items()
                for outcome in outcomes
            ],
        )


def _row(outcome: Outcome) -> dict:
    fit = outcome.fit
    names = ("value", "low", "high")
    names += ("difference", "difference_low", "difference_high")
    numbers = dict(zip(names, outcome.value + outcome.difference, strict=True))
    return {
        "aspect": fit.option.aspect,
        "option_name": fit.option.name,
        "n_weeks": fit.n_weeks,
        "n_users": fit.n_users,
        "n_training_pairs": fit.n_pairs,
        "fit_seconds": fit.seconds,
        "metric": "map_at_10",
        "n_judged_users": len(fit.precision),
        **{k: v if math.isfinite(v) else None for k, v in numbers.items()},
    }


if __name__ == "__main__":
    sys.exit(main())
