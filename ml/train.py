"""Fit the models, evaluate them on a week they have not seen, publish scores.

Fits on the labelled cutoffs before --cutoff, evaluates on the cutoff itself if it is
labelled, else on the last labelled one before it; then fits the default model on all
labelled cutoffs before --cutoff, scores every candidate pair and publishes.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from ml import cli, settings
from ml.card import card_rows, write_card
from ml.champion import read_champion, settle_champion
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
from ml.model_files import ModelFile, record_file, sha256_of
from ml.models import PurchaseModel
from ml.pairs import read_labels
from ml.progress import step
from ml.publish import Run, publish
from ml.recipes import recipe_of
from ml.registry import model_path, save_model
from ml.scoring import complete_rows, published, ranks_of, scored_run
from ml.version import code_version
from ml.warehouse import (
    DUCKDB,
    Cutoff,
    Warehouse,
    WarehouseError,
    open_warehouse,
)

EXAMPLE = "example: python -m ml.train --cutoff 2012-06-10"


@dataclass(frozen=True)
class Training:
    """A run with what the model registry keeps of it."""

    run: Run
    file: ModelFile
    settings_source: str

    def record(self, warehouse: Warehouse, at: dt.datetime) -> None:
        """Write down the champion and its file, within the run's transaction."""
        settle_champion(warehouse, self.file.recipe, self.settings_source, at)
        record_file(warehouse, self.file, at)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("train", __doc__, EXAMPLE)
    parser.add_argument(
        "--cutoff",
        type=cli.date,
        help="Sunday whose target week is scored (default: the latest with candidates)",
    )
    cli.add_seed(parser)
    cli.add_target(parser)
    options = parser.parse_args(arguments)
    return cli.run(lambda: train(options.cutoff, options.seed, options.target))


def train(
    cutoff: dt.date | None = None, random_state: int = 0, target: str = DUCKDB
) -> Run:
    """Train, evaluate, score and publish; return what was published.

    Parameters
    ----------
    target
        Where the warehouse is, see :func:`ml.warehouse.open_warehouse`.

    Raises
    ------
    WarehouseError
        The warehouse is not built, or the cutoff cannot be served.
    """
    started_at = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    with open_warehouse(read_only=True, target=target) as warehouse:
        training = _compute(warehouse, cutoff, random_state, started_at)
    run = training.run
    with step("publishing scores"), open_warehouse(target=target) as warehouse:
        publish(warehouse, run, training.record)
    write_card(run.run_id, run.card)
    _print_results(run)
    return run


def _compute(
    warehouse: Warehouse,
    requested: dt.date | None,
    random_state: int,
    started_at: dt.datetime,
) -> Training:
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
    chosen = read_champion(warehouse)
    print(f"  settings: {chosen.source}", file=sys.stderr)

    evaluation, fitted, scores, misses = None, None, None, None
    if known:
        parameters = {
            name: chosen.parameters[name] for name in possible_models(warehouse)
        }
        fitted = fit_models(warehouse, known, parameters, random_state)
        is_last = evaluated.date == cutoff.date
        scores = score(warehouse, fitted, evaluated.date, only_evaluated=not is_last)
        grid = scores.evaluated()
        evaluation = measure(
            warehouse, fitted, grid, chosen.default_model, random_state
        )
        misses = _misses(warehouse, fitted, grid, chosen.default_model)
        grid = None
    if fitted is None or evaluated.date != cutoff.date:
        # both matrices would not fit into memory
        fitted = scores = None
        default = {chosen.default_model: chosen.parameters[chosen.default_model]}
        weeks = [c.date for c in earlier]
        fitted = fit_models(
            warehouse, weeks, default, random_state, with_thresholds=False
        )
        scores = score(warehouse, fitted, cutoff.date)
    model = fitted.models[chosen.default_model]
    run = scored_run(warehouse, fitted, model, scores, started_at)
    run.evaluated_cutoff = evaluation.cutoff if evaluation else None
    run.metrics = evaluation.metrics if evaluation else []
    run.misses = misses
    path = model_path(run.run_id, model.name)
    save_model(model, path, fitted.averages, fitted.last_week)
    file = _model_file(run, fitted, model, path)
    rows = evaluation.model_rows if evaluation else [model_row(fitted, model.name)]
    run.model_rows = complete_rows(rows, run, fitted, file.path, started_at)
    run.card = card_rows(warehouse, run, chosen.source, random_state)
    return Training(run, file, chosen.source)


def _model_file(
    run: Run, fitted: Fitted, model: PurchaseModel, path: Path
) -> ModelFile:
    """Return what is kept of the file just written."""
    return ModelFile(
        path=str(path.relative_to(settings.PROJECT_DIR)),
        sha256=sha256_of(path),
        run_id=run.run_id,
        recipe=recipe_of(model),
        parameters=model.parameters(),
        first_week=min(fitted.weeks),
        last_week=max(fitted.weeks),
        n_pairs=fitted.n_pairs,
        fit_seconds=fitted.fit_seconds[model.name],
        data_fingerprint=run.data_fingerprint,
        code_version=code_version(),
    )


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


def _misses(
    warehouse: Warehouse, fitted: Fitted, grid: ScoredGrid, model_name: str
) -> pa.Table:
    """Return where the model was wrong in the week of the grid."""
    scores = grid.scores[model_name]
    with step("looking at misses"):
        labels = read_labels(warehouse, grid.candidates)
        found = find_misses(grid.candidates, scores, ranks_of(scores), labels)
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
    print(published(run))


if __name__ == "__main__":
    sys.exit(main())
