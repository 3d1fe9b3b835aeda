"""Print the model card of a run: what its model is, is worth, is for, and its limits.

The same rows stand in ml.model_cards; training writes them to model_card.md beside the
model file as well.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ml import cli, settings
from ml.files import written_whole
from ml.registry import load_model, model_path
from ml.warehouse import Warehouse, WarehouseError, open_warehouse

if TYPE_CHECKING:
    from ml.evaluate import Metric
    from ml.publish import Run

EXAMPLE = "example: python -m ml.card --check-model"

CARD_FILE = "model_card.md"
INTENDED_USE = (
    ("for", "ranking the coupons of one coming week for each registered user"),
    (
        "by",
        "people who plan campaigns or study this data set, with the metrics at hand",
    ),
    (
        "not for",
        "decisions about single people, such as prices or credit, nor for other shops, "
        "times or countries",
    ),
)
LIMITS = (
    (
        "selected users",
        "nearly all users bought at least once by the end of the data, so that "
        '"registered, never bought" predicts too well near it: see metric map_at_10, '
        "slice all_but_never_buyers",
    ),
    ("age and prefecture", "are as of the end of the data, not of the cutoff"),
    (
        "end of sale",
        "a coupon may leave sale early because it sold out: the sale window is used as "
        "the file gives it and may be partly an outcome",
    ),
    (
        "cheap coupons",
        "free coupons and those at 100 yen or less distort some weeks, and their "
        "weight in training is not capped: see metric map_at_10, slice above_100_yen",
    ),
    (
        "one week",
        "the metrics are of one week and of a fit without it; intervals tell what "
        "other users would change, not what other weeks would",
    ),
)
SYNTHETIC_LIMIT = (
    "synthetic data",
    "the figures show that the project works, not how people shop",
)
NO_VIEWS_LIMIT = (
    "no page views",
    "there is no visit log for the scored week: all features of views are null",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("card", __doc__, EXAMPLE)
    parser.add_argument("--run", help="run_id (default: the latest on this data)")
    parser.add_argument(
        "--check-model",
        action="store_true",
        help="load the model file and compare its features with the mart's",
    )
    return cli.run(lambda: _run(parser.parse_args(arguments)))


def _run(options: argparse.Namespace) -> None:
    with open_warehouse(read_only=True) as warehouse:
        run_id = options.run or _latest_run(warehouse)
        rows = read_card(warehouse, run_id)
        if options.check_model:
            # of the columns that the mart has now
            columns = warehouse.columns("scoring_pairs")
            model_name = next(r["value"] for r in rows if r["item"] == "name")
            load_model(model_path(run_id, model_name), columns)
    print(markdown(run_id, rows), end="")


def _latest_run(warehouse: Warehouse) -> str:
    rows = warehouse.rows(
        "select run_id from ml.model_runs where data_fingerprint = ? and run_id in "
        "(select run_id from ml.model_cards) order by finished_at desc, run_id desc "
        "limit 1",
        [warehouse.data_fingerprint()],
    )
    if not rows:
        raise WarehouseError(
            "no model was trained on this data yet: run `python -m ml.train`."
        )
    return rows[0][0]


def read_card(warehouse: Warehouse, run_id: str) -> list[dict]:
    """Return the rows of a run's card in their order.

    Raises
    ------
    WarehouseError
        The run has no card.
    """
    rows = warehouse.rows(
        "select section, item, value from ml.model_cards where run_id = ? "
        "order by position",
        [run_id],
    )
    if not rows:
        raise WarehouseError(
            f"there is no card of run {run_id}: ml.model_cards lists the runs."
        )
    return [
        {"section": section, "item": item, "value": value}
        for section, item, value in rows
    ]


def card_rows(
    warehouse: Warehouse, run: Run, settings_source: str, random_state: int
) -> list[dict]:
    """Return the rows of ``ml.model_cards`` of a run that is ready to be published."""
    row = next(row for row in run.model_rows if row["is_default"])
    sections = {
        "Model": _model(row, settings_source, random_state),
        "Data": _data(warehouse, run),
        "Cutoffs": _cutoffs(run, row),
        "Features": _features(warehouse),
        "Metrics": _metrics(run),
        "Speed and memory": _speed(row),
        "Intended use": INTENDED_USE,
        "Limits": _limits(warehouse, run),
    }
    return [
        {
            "run_id": run.run_id,
            "position": position,
            "section": section,
            "item": item,
            "value": str(value),
        }
        for position, (section, item, value) in enumerate(
            (
                (section, item, value)
                for section, items in sections.items()
                for item, value in items
            ),
            start=1,
        )
    ]


def markdown(run_id: str, rows: Sequence[dict]) -> str:
    """Return the card as a page."""
    lines = [f"# Model card: run {run_id}"]
    section = None
    for row in rows:
        if row["section"] != section:
            section = row["section"]
            lines += ["", f"## {section}", ""]
        lines.append(f"- {row['item']}: {row['value']}")
    return "\n".join(lines) + "\n"


def write_card(run_id: str, rows: Sequence[dict]) -> Path:
    """Write the page beside the run's model file, whole or not at all."""
    path = card_path(run_id)
    with written_whole(path) as file:
        file.write(markdown(run_id, rows))
    return path


def card_path(run_id: str) -> Path:
    """Return where the page of a run lies."""
    return model_path(run_id, "any").with_name(CARD_FILE)


def _model(
    row: dict, settings_source: str, random_state: int
) -> Iterator[tuple[str, object]]:
    yield ("name", row["model_name"])
    for name, value in sorted(json.loads(row["parameters"]).items()):
        yield (f"parameter {name}", json.dumps(value, sort_keys=True))
    yield ("settings", settings_source)
    yield ("random seed", random_state)
    yield ("code version", row["code_version"])
    yield ("file", row["model_file"])


def _data(warehouse: Warehouse, run: Run) -> Iterator[tuple[str, object]]:
    yield ("fingerprint", run.data_fingerprint)
    yield ("synthetic", "yes" if settings.is_synthetic() else "no")
    for item, table in (
        ("users", "dim_users"),
        ("coupons", "dim_coupons"),
        ("purchases", "fct_purchases"),
        ("page views", "fct_visits"),
    ):
        ((count,),) = warehouse.rows(f"select count(*) from core.{table}")
        yield (item, f"{count:,}")


def _cutoffs(run: Run, row: dict) -> Iterator[tuple[str, object]]:
    yield ("first training cutoff", row["first_training_cutoff"])
    yield ("last training cutoff", row["last_training_cutoff"])
    evaluated = run.evaluated_cutoff or "none: no labelled week has one before it"
    yield ("evaluated cutoff", evaluated)
    yield ("scored cutoff", run.candidates.cutoff)
    n_users, n_coupons = run.candidates.shape
    yield ("scored pairs", f"{n_users:,} users x {n_coupons:,} coupons")
    yield ("training pairs of the evaluated fit", f"{row['n_training_pairs']:,}")


def _features(warehouse: Warehouse) -> Iterator[tuple[str, object]]:
    features = [c for c in warehouse.columns("scoring_pairs") if c.role == "feature"]
    yield ("all", len(features))
    yield ("categorical", sum(column.is_categorical for column in features))
    for group, count in Counter(column.feature_group for column in features).items():
        yield (f"group {group}", count)


def _metrics(run: Run) -> Iterator[tuple[str, object]]:
    """Yield the published model's metrics; bins and steps of curves stay away."""
    if run.evaluated_cutoff is None:
        yield ("none", "the run was not evaluated")
    for metric in run.metrics:
        is_bin = metric.metric.startswith(("calibration_", "curve_"))
        if metric.model_name == run.default_model and not is_bin:
            yield (f"{metric.metric}, {metric.slice}", _with_interval(metric))


def _with_interval(metric: Metric) -> str:
    if math.isnan(metric.value):
        return "undefined"
    if math.isnan(metric.low):
        return f"{metric.value:.6g}"
    return f"{metric.value:.6g} ({metric.low:.6g} to {metric.high:.6g})"


def _speed(row: dict) -> Iterator[tuple[str, object]]:
    yield ("seconds of the evaluated fit", f"{row['fit_seconds']:.1f}")
    for item, name, digits in (
        ("pairs scored per second", "pairs_per_second", 0),
        ("ms to rank one user's candidates, median", "latency_p50_ms", 1),
        ("ms to rank one user's candidates, 95th percentile", "latency_p95_ms", 1),
    ):
        value = row[name]
        yield (item, "not measured" if value is None else f"{value:,.{digits}f}")
    yield ("peak memory of the run in MB", f"{row['peak_memory_mb']:,.0f}")


def _limits(warehouse: Warehouse, run: Run) -> Iterator[tuple[str, str]]:
    if settings.is_synthetic():
        yield SYNTHETIC_LIMIT
    ((has_visit_log,),) = warehouse.rows(
        "select has_visit_log from features.cutoffs where cutoff_date = ?",
        [run.candidates.cutoff],
    )
    if not has_visit_log:
        yield NO_VIEWS_LIMIT
    yield from LIMITS


if __name__ == "__main__":
    sys.exit(main())
