"""Measure what each group of features brings, on the weeks that choices are made on.

Fits the model without one group after another (with --alone also with one group only)
and compares MAP@10 and AUC with the model that sees all features. Fits on the earlier
target weeks before 2012-04-15, judges on the last four of them, and never looks at the
weeks that are reported. Writes to ml.ablation.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ml import cli
from ml.ablation_page import Section, text, with_section
from ml.chosen import parameters_text
from ml.files import write_whole
from ml.judged import selection_weeks
from ml.markdown import data_title
from ml.models import MODELS, build
from ml.pairs import (
    FeatureContract,
    in_order_of_hashes,
    places_of,
    read_candidates,
    read_contract,
    read_labels,
    read_training_set,
    stream_candidates,
)
from ml.progress import note, step
from ml.publish import insert_rows
from ml.variants import (
    FittedVariant,
    JudgedWeek,
    Outcome,
    compare,
    fit_variants,
    score_variants,
    variants_of,
)
from ml.version import code_version
from ml.warehouse import Warehouse, open_warehouse

EXAMPLE = "example: python -m ml.ablation --model logistic_regression --alone"

#: Users whose pairs the AUC is taken of; every candidate pair would be too many.
N_AUC_USERS = 2_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("ablation", __doc__, EXAMPLE)
    parser.add_argument(
        "--model",
        default="logistic_regression",
        type=cli.model_name,
        choices=MODELS,
        help="(default: %(default)s)",
    )
    parser.add_argument(
        "--alone", action="store_true", help="also fit each group without the others"
    )
    cli.add_seed(parser)
    parser.add_argument(
        "--write",
        type=Path,
        metavar="FILE",
        help="also write a section per data set into this page",
    )
    options = parser.parse_args(arguments)
    return cli.run(lambda: ablate(options))


def ablate(options: argparse.Namespace) -> None:
    """Fit, judge, publish and print.

    Raises
    ------
    CommandError
        The page cannot be written.
    WarehouseError
        The warehouse is not built, or has too few weeks to choose on.
    """
    cli.check_writable(options.write)
    started_at = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    with open_warehouse(read_only=True) as warehouse:
        warehouse.check_table("ablation")
        fingerprint = warehouse.data_fingerprint()
        fitting, judged = selection_weeks(warehouse.cutoffs())
        parameters = _settings_of(warehouse, options.model, fingerprint)
        fitted = _fit(warehouse, fitting, options, parameters)
        user_ids = in_order_of_hashes(warehouse, "user")
        sampled = spread_sample(len(user_ids), N_AUC_USERS)
        contract = fitted[0].model.contract_
        with step(f"judging on {len(judged)} weeks"):
            weeks = [
                _judge(warehouse, contract, day, fitted, user_ids, sampled)
                for day in judged
            ]
    outcomes = compare(
        [one.variant for one in fitted], weeks, len(user_ids), sampled, options.seed
    )
    section = Section(
        title=data_title(len(user_ids)),
        model_name=options.model,
        parameters=parameters_text(fitted[0].model.parameters()),
        fitting=fitting,
        judged=judged,
        n_auc_users=len(sampled),
        version=code_version(),
        outcomes=outcomes,
    )
    with open_warehouse() as warehouse:
        _publish(warehouse, section, fitted, fingerprint, started_at)
    print(f"\n{text(section)}")
    if options.write is not None:
        page = options.write
        old = page.read_text(encoding="utf-8") if page.is_file() else ""
        write_whole(page, with_section(old, section))


def spread_sample(n: int, n_wanted: int) -> np.ndarray:
    """Return places at even steps among n users in the order of their hashes."""
    steps = np.linspace(0, n - 1, min(n, n_wanted))
    return np.unique(steps.astype(np.intp))


def _settings_of(warehouse: Warehouse, model_name: str, fingerprint: str) -> dict:
    """Return the settings of the model's last run on these data, else its defaults."""
    rows = warehouse.rows(
        "select parameters from ml.model_runs where model_name = ? "
        "and data_fingerprint = ? order by started_at desc limit 1",
        [model_name, fingerprint],
    )
    return json.loads(rows[0][0]) if rows else {}


def _fit(
    warehouse: Warehouse,
    fitting: list[dt.date],
    options: argparse.Namespace,
    parameters: dict,
) -> list[FittedVariant]:
    with step(f"reading training pairs of {len(fitting)} weeks"):
        contract = read_contract(warehouse, fitting)
        training = read_training_set(warehouse, contract, fitting)
    variants = variants_of(contract, options.alone)
    with step(f"fitting {len(variants)} variants on {len(training):,} pairs"):
        return fit_variants(
            training,
            variants,
            lambda: build(options.model, parameters, options.seed),
        )


def _judge(
    warehouse: Warehouse,
    contract: FeatureContract,
    day: dt.date,
    fitted: Sequence[FittedVariant],
    user_ids: np.ndarray,
    sampled: np.ndarray,
) -> JudgedWeek:
    """Score the pairs of the week's buyers and of the sampled users."""
    note(f"{day:%m-%d}")
    candidates = read_candidates(warehouse, day)
    labels = read_labels(warehouse, candidates)
    is_buyer = labels.any(axis=1)
    is_sampled = np.isin(candidates.user_ids, user_ids[sampled])
    rows = np.flatnonzero(is_buyer | is_sampled)
    chosen = candidates.user_ids[rows]
    row_in_grid = np.full(len(candidates.user_ids), -1)
    row_in_grid[rows] = np.arange(len(rows))
    batches = (
        (row_in_grid[places], columns, features)
        for places, columns, features in stream_candidates(
            warehouse, contract, candidates, chosen
        )
    )
    return JudgedWeek(
        cutoff=day,
        user=places_of(user_ids, chosen),
        labels=labels[rows],
        scores=score_variants(fitted, batches, (len(rows), candidates.shape[1])),
        is_buyer=is_buyer[rows],
        is_sampled=is_sampled[rows],
    )


def _publish(
    warehouse: Warehouse,
    section: Section,
    fitted: Sequence[FittedVariant],
    fingerprint: str,
    started_at: dt.datetime,
) -> None:
    """Add the rows of the run to ``ml.ablation``, all or nothing."""
    warehouse.check_same_data(
        fingerprint,
        "nothing was written. Run `python -m ml.ablation` again.",
    )
    seconds = {one.variant: one.fit_seconds for one in fitted}
    shared = {
        "run_id": f"ablation-{started_at:%Y%m%dT%H%M%S}-{fingerprint[:8]}",
        "data_fingerprint": fingerprint,
        "model_name": section.model_name,
        "parameters": section.parameters,
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
            "ablation",
            [
                shared | _row(outcome) | {"fit_seconds": seconds[outcome.variant]}
                for outcome in section.outcomes
            ],
        )


def _row(outcome: Outcome) -> dict:
    numbers = {
        "value": outcome.value,
        "difference": outcome.difference,
        "low": outcome.low,
        "high": outcome.high,
    }
    return {
        "variant": outcome.variant.kind,
        "feature_group": outcome.variant.group,
        "n_features": outcome.variant.n_features,
        "metric": outcome.metric,
        "n_users": outcome.n_users,
        **{k: v if np.isfinite(v) else None for k, v in numbers.items()},
    }


if __name__ == "__main__":
    sys.exit(main())
