"""Fit the models, evaluate them on a week they have not seen, publish scores.

Fits on the labelled cutoffs before --cutoff, evaluates on the cutoff itself if it is
labelled, else on the last labelled one before it; then fits the default model on all
labelled cutoffs before --cutoff, scores every candidate pair and publishes.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from ml import cli, metrics, settings
from ml.card import card_rows, write_card
from ml.chosen import read_chosen
from ml.fitting import (
    Fitted,
    fit_models,
    measure,
    model_row,
    possible_models,
    score,
)
from ml.grid import ScoredGrid
from ml.misses import find_misses, with_reasons
from ml.models import PurchaseModel
from ml.models.blend import Blend
from ml.models.reference import FrozenReference
from ml.pairs import read_labels, read_pairs
from ml.progress import peak_memory_mb, step
from ml.publish import Run, publish
from ml.reasons import ReasonWriter
from ml.registry import model_path, save_model
from ml.version import code_version
from ml.warehouse import Cutoff, Warehouse, WarehouseError, open_warehouse

#: Yardsticks that are fitted by ``python -m ml.backtest`` alone.
ONLY_IN_BACKTESTS = (FrozenReference.name,)
EXAMPLE = "example: python -m ml.train --cutoff 2012-06-10"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("train", __doc__, EXAMPLE)
    parser.add_argument(
        "--cutoff",
        type=cli.date,
        help="Sunday whose target week is scored (default: the latest with candidates)",
    )
    cli.add_seed(parser)
    options = parser.parse_args(arguments)
    return cli.run(lambda: train(options.cutoff, options.seed))


def train(cutoff: dt.date | None = None, random_state: int = 0) -> Run:
    """Train, evaluate, score and publish; return what was published.

    Raises
    ------
    WarehouseError
        The warehouse is not built, or the cutoff cannot be served.
    """
    started_at = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    with open_warehouse(read_only=True) as warehouse:
        run = _compute(warehouse, cutoff, random_state, started_at)
    with step("publishing scores"), open_warehouse() as warehouse:
        publish(warehouse, run)
    write_card(run.run_id, run.card)
    _print_results(run)
    return run


def _compute(
    warehouse: Warehouse,
    requested: dt.date | None,
    random_state: int,
    started_at: dt.datetime,
) -> Run:
    cutoffs = warehouse.cutoffs()
    cutoff = choose_cutoff(cutoffs, requested)
    earlier = [c for c in cutoffs if c.date < cutoff.date and c.is_labelled]
    if not earlier:
        raise WarehouseError(
            f"there is no labelled cutoff before {cutoff.date} to learn from: choose a "
            "later --cutoff, or build more of them with "
            "`dbt build --vars '{n_cutoffs: 52}'`."
        )
    evaluated = cutoff if cutoff.is_labelled else earlier[-1]
    known = [c.date for c in earlier if c.date < evaluated.date]
    fingerprint = warehouse.data_fingerprint()
    chosen = read_chosen(warehouse)
    print(f"  settings: {chosen.source}", file=sys.stderr)

    evaluation, fitted, grid, misses = None, None, None, None
    if known:
        parameters = {
            name: chosen.parameters[name]
            for name in possible_models(warehouse)
            if name not in ONLY_IN_BACKTESTS
        }
        fitted = fit_models(warehouse, known, parameters, random_state)
        grid = score(warehouse, fitted, evaluated.date)
        evaluation = measure(
            warehouse, fitted, grid, chosen.default_model, random_state
        )
        misses = _misses(warehouse, fitted, grid, chosen.default_model)
    if fitted is None or evaluated.date != cutoff.date:
        # both matrices would not fit into memory
        fitted = grid = None
        default = {chosen.default_model: chosen.parameters[chosen.default_model]}
        weeks = [c.date for c in earlier]
        fitted = fit_models(
            warehouse, weeks, default, random_state, with_thresholds=False
        )
        grid = score(warehouse, fitted, cutoff.date)
    model = fitted.models[chosen.default_model]
    run = Run(
        run_id=f"{cutoff.date:%Y%m%d}-{started_at:%Y%m%dT%H%M%S}-{fingerprint[:8]}",
        data_fingerprint=fingerprint,
        default_model=model.name,
        candidates=grid.candidates,
        scores=grid.scores[model.name],
        ranks=_ranks(grid.scores[model.name]),
        evaluated_cutoff=evaluation.cutoff if evaluation else None,
        metrics=evaluation.metrics if evaluation else [],
        misses=misses,
        coefficients=_coefficients(model),
    )
    with step("writing reasons"):
        run.reasons = _reasons(warehouse, fitted, model, run)
    path = model_path(run.run_id, model.name)
    save_model(model, path)
    rows = evaluation.model_rows if evaluation else [model_row(fitted, model.name)]
    run.model_rows = _complete_rows(rows, run, fitted, path, started_at)
    run.card = card_rows(warehouse, run, chosen.source, random_state)
    return run


def _ranks(scores: np.ndarray) -> np.ndarray:
    """Return the place of each coupon in its user's list, 1 is best."""
    order = np.argsort(-scores, axis=1, kind="stable")
    ranks = np.empty(scores.shape, dtype=np.int32)
    places = np.arange(1, scores.shape[1] + 1, dtype=np.int32)
    np.put_along_axis(ranks, order, places[None, :], axis=1)
    return ranks


def _coefficients(model: PurchaseModel) -> list[tuple[str, str, str, float]]:
    """Return the numbers that a model shows, a blend's with those of its members."""
    members = model.members_.values() if isinstance(model, Blend) else ()
    return [
        (part.name, *row) for part in (model, *members) for row in part.coefficients()
    ]


def choose_cutoff(cutoffs: Sequence[Cutoff], requested: dt.date | None) -> Cutoff:
    """Return the requested cutoff, or the latest one.

    Raises
    ------
    WarehouseError
        The requested day is not a cutoff in use; the message lists the nearest.
    """
    if not cutoffs:
        raise WarehouseError(
            "features.cutoffs is empty: the coupon lists hold no coupon. "
            "Check PONPARE_DATA_DIR and run `dbt build`."
        )
    if requested is None:
        return cutoffs[-1]
    for cutoff in cutoffs:
        if cutoff.date == requested:
            return cutoff
    nearest = sorted(cutoffs, key=lambda c: abs((c.date - requested).days))[:3]
    listed = ", ".join(str(c.date) for c in sorted(nearest, key=lambda c: c.date))
    raise WarehouseError(
        f"{requested} is not a cutoff in use; the nearest are {listed}. Earlier ones "
        "come into use with `dbt build --vars '{n_cutoffs: 52}'`."
    )


def _complete_rows(
    rows: list[dict], run: Run, fitted: Fitted, path: Path, started_at: dt.datetime
) -> list[dict]:
    """Add to the rows of ``ml.model_runs`` what they have in common.

    Weeks and pairs are those of the model that was published.
    """
    shared = {
        "run_id": run.run_id,
        "cutoff_date": run.candidates.cutoff,
        "evaluated_cutoff_date": run.evaluated_cutoff,
        "data_fingerprint": run.data_fingerprint,
        "code_version": code_version(),
        "first_training_cutoff": min(fitted.weeks),
        "last_training_cutoff": max(fitted.weeks),
        "peak_memory_mb": peak_memory_mb(),
        "started_at": started_at,
    }
    model_file = str(path.relative_to(settings.PROJECT_DIR))
    completed = []
    for row in rows:
        is_default = row["model_name"] == run.default_model
        completed.append(
            {
                **row,
                **shared,
                "is_default": is_default,
                "model_file": model_file if is_default else None,
            }
        )
    return completed


def _reasons(
    warehouse: Warehouse, fitted: Fitted, model: PurchaseModel, run: Run
) -> pa.Table:
    rows, columns = np.nonzero(run.ranks <= metrics.TOP_K)
    candidates = run.candidates
    pairs = pa.table(
        {
            "user_id": candidates.user_ids[rows],
            "coupon_id": candidates.coupon_ids[columns],
        }
    )
    writer = ReasonWriter(model, warehouse.columns("scoring_pairs"), fitted.averages)
    return pa.concat_tables(
        pa.table(
            {
                "user_id": keys.column("user_id"),
                "coupon_id": keys.column("coupon_id"),
                "reasons": writer.write(batch),
            }
        )
        for keys, batch in read_pairs(
            warehouse, fitted.contract, candidates.cutoff, pairs
        )
    )


def _misses(
    warehouse: Warehouse, fitted: Fitted, grid: ScoredGrid, model_name: str
) -> pa.Table:
    """Return where the model was wrong in the week of the grid."""
    scores = grid.scores[model_name]
    with step("looking at misses"):
        labels = read_labels(warehouse, grid.candidates)
        found = find_misses(grid.candidates, scores, _ranks(scores), labels)
        model = fitted.models[model_name]
        return with_reasons(warehouse, fitted, model, grid.candidates, found)


def _print_results(run: Run) -> None:
    value = {(m.model_name, m.metric, m.slice): m for m in run.metrics}
    names = [row["model_name"] for row in run.model_rows]
    print(f"\nrun {run.run_id}")
    if run.evaluated_cutoff is not None:
        print(f"evaluated on the week from {run.evaluated_cutoff}, 95 % intervals")
        print(
            f"  {'model':<22}{'MAP@10':>9}  {'interval':<19}{'buyers':>8}"
            f"{'recall':>8}{'AUC':>8}{'PR-AUC':>9}{'log loss':>10}{'fit s':>7}"
        )
        for row in run.model_rows:
            name = row["model_name"]
            overall = value[name, "map_at_10", "all"]
            print(
                f"  {name + (' *' if row['is_default'] else ''):<22}"
                f"{overall.value:>9.5f}  "
                f"{f'{overall.low:.5f}..{overall.high:.5f}':<19}"
                f"{value[name, 'map_at_10', 'buyers'].value:>8.4f}"
                f"{value[name, 'recall_at_10', 'buyers'].value:>8.4f}"
                f"{value[name, 'auc', 'all'].value:>8.4f}"
                f"{value[name, 'pr_auc', 'all'].value:>9.5f}"
                f"{value[name, 'log_loss', 'all'].value:>10.6f}"
                f"{row['fit_seconds']:>7.1f}"
            )
        for name in names:
            gain = value.get((run.default_model, "map_at_10_difference", f"to_{name}"))
            if gain is not None:
                print(
                    f"  * {run.default_model} minus {name}: {gain.value:+.5f} "
                    f"({gain.low:+.5f}..{gain.high:+.5f})"
                )
    n_users, n_coupons = run.candidates.shape
    print(
        f"published {n_users * n_coupons:,} scores of {run.default_model} for "
        f"{n_users:,} users x {n_coupons} coupons of the week from "
        f"{run.candidates.cutoff}: reporting.recommendations"
    )


if __name__ == "__main__":
    sys.exit(main())
