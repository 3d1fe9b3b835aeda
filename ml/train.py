"""Fit the models, evaluate them on a week they have not seen, publish scores.

Fits on the labelled cutoffs before --cutoff, evaluates on the cutoff itself if it is
labelled, else on the last labelled one before it; then fits the default model on all
labelled cutoffs before --cutoff, scores every candidate pair and publishes.
"""

from __future__ import annotations

import argparse
import datetime as dt
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata

import numpy as np
import pyarrow as pa

from ml import cli, metrics, settings
from ml.evaluate import Metric, evaluate, read_context
from ml.grid import ScoredGrid, score_grid
from ml.latency import ranking_latency_ms
from ml.models import MODELS, PurchaseModel
from ml.pairs import (
    Candidates,
    TrainingSet,
    read_candidates,
    read_contract,
    read_labels,
    read_pairs,
    read_training_set,
)
from ml.progress import peak_memory_mb, step
from ml.publish import Run, publish
from ml.reasons import ReasonWriter
from ml.registry import model_path, save_model
from ml.search import default_settings, parameters_text, search
from ml.warehouse import Cutoff, Warehouse, WarehouseError, open_warehouse

EXAMPLE = "example: python -m ml.train --cutoff 2012-06-10"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m ml.train",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--cutoff",
        type=cli.date,
        help="Sunday whose target week is scored (default: the latest with candidates)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of all draws (default: %(default)s)"
    )
    parser.add_argument(
        "--no-search",
        action="store_true",
        help="take the models' default settings instead of searching for better ones",
    )
    options = parser.parse_args(arguments)
    return cli.run(lambda: train(options.cutoff, options.seed, options.no_search))


def train(
    cutoff: dt.date | None = None, random_state: int = 0, no_search: bool = False
) -> Run:
    """Train, evaluate, score and publish; return what was published.

    Raises
    ------
    WarehouseError
        The warehouse is not built, or the cutoff cannot be served.
    """
    started_at = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    with open_warehouse(read_only=True) as warehouse:
        run = _compute(warehouse, cutoff, random_state, no_search, started_at)
    with step("publishing scores"), open_warehouse() as warehouse:
        publish(warehouse, run)
    _print_results(run)
    return run


def _compute(
    warehouse: Warehouse,
    requested: dt.date | None,
    random_state: int,
    no_search: bool,
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
    known = [c for c in earlier if c.date < evaluated.date]
    fingerprint = warehouse.data_fingerprint()
    run_id = f"{cutoff.date:%Y%m%d}-{started_at:%Y%m%dT%H%M%S}-{fingerprint[:8]}"
    contract = read_contract(warehouse, [c.date for c in known])
    ((n_users,),) = warehouse.rows("select count(*) from core.dim_users")

    found = default_settings()
    if not no_search:
        with step("searching hyper-parameters"):
            found = search(warehouse, contract, known, n_users)

    models: dict[str, PurchaseModel] = {}
    measured: list[Metric] = []
    model_rows: list[dict] = []
    grid: ScoredGrid | None = None
    training: TrainingSet | None = None
    if known:
        with step(f"reading training pairs of {len(known)} weeks"):
            training = read_training_set(warehouse, contract, [c.date for c in known])
        thresholds, fit_seconds = {}, {}
        for name, parameters in found.best_parameters.items():
            with step(f"fitting {name} on {len(training):,} pairs") as timed:
                models[name] = build(name, parameters, random_state).fit(training)
            fit_seconds[name] = timed.seconds
            thresholds[name] = metrics.best_f1_threshold(
                models[name].predict_in_chunks(training.features),
                training.label,
                training.weight,
            )
        candidates = read_candidates(warehouse, evaluated.date)
        n_pairs = candidates.shape[0] * candidates.shape[1]
        with step(f"scoring {n_pairs:,} pairs of {evaluated.date}"):
            grid = score_grid(warehouse, contract, candidates, list(models.values()))
        with step("evaluating"):
            measured = evaluate(
                grid,
                read_labels(warehouse, candidates),
                read_context(warehouse, grid),
                thresholds,
                found.best_model,
                random_state,
            )
            latency = ranking_latency_ms(
                warehouse, contract, candidates, list(models.values())
            )
        for name, model in models.items():
            model_rows.append(
                {
                    "model_name": name,
                    "parameters": parameters_text(model.parameters()),
                    "n_training_pairs": len(training),
                    "fit_seconds": fit_seconds[name],
                    "n_evaluated_pairs": n_pairs,
                    "predict_seconds": grid.predict_seconds[name],
                    "pairs_per_second": n_pairs / grid.predict_seconds[name],
                    "latency_p50_ms": latency[name][0],
                    "latency_p95_ms": latency[name][1],
                }
            )

    name = found.best_model
    if grid is not None and evaluated.date == cutoff.date:
        default, scores, candidates = models[name], grid.scores[name], grid.candidates
    else:
        del training, grid
        with step(f"reading training pairs of {len(earlier)} weeks"):
            weeks = [c.date for c in earlier]
            contract = read_contract(warehouse, weeks)
            training = read_training_set(warehouse, contract, weeks)
        with step(f"fitting {name} on {len(training):,} pairs"):
            default = build(name, found.best_parameters[name], random_state)
            default.fit(training)
        candidates = read_candidates(warehouse, cutoff.date)
        n_pairs = candidates.shape[0] * candidates.shape[1]
        with step(f"scoring {n_pairs:,} pairs of {cutoff.date}"):
            grid = score_grid(warehouse, contract, candidates, [default])
        scores = grid.scores[name]
    if not model_rows:
        model_rows = [_row_without_evaluation(default, training)]
    path = model_path(run_id, default.name)
    save_model(default, path)
    ranks = np.empty(scores.shape, dtype=np.int32)
    np.put_along_axis(
        ranks,
        np.argsort(-scores, axis=1, kind="stable"),
        np.arange(1, scores.shape[1] + 1, dtype=np.int32)[None, :],
        axis=1,
    )
    with step("writing reasons"):
        reasons = _reasons(warehouse, default, training, candidates, ranks)
    trained_on = np.unique(training.cutoff)
    for row in model_rows:
        is_default = row["model_name"] == default.name
        row |= {
            "run_id": run_id,
            "is_default": is_default,
            "cutoff_date": cutoff.date,
            "evaluated_cutoff_date": evaluated.date if known else None,
            "data_fingerprint": fingerprint,
            "code_version": code_version(),
            "first_training_cutoff": trained_on[0].item(),
            "last_training_cutoff": trained_on[-1].item(),
            "peak_memory_mb": peak_memory_mb(),
            "model_file": (
                str(path.relative_to(settings.PROJECT_DIR)) if is_default else None
            ),
            "started_at": started_at,
        }
    return Run(
        run_id=run_id,
        data_fingerprint=fingerprint,
        default_model=default.name,
        candidates=candidates,
        scores=scores,
        ranks=ranks,
        reasons=reasons,
        model_rows=model_rows,
        evaluated_cutoff=evaluated.date if known else None,
        metrics=measured,
        trials=found.trials,
        coefficients=[
            (default.name, *row) for row in getattr(default, "coefficients", list)()
        ],
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


def build(name: str, parameters: dict, random_state: int) -> PurchaseModel:
    """Return an unfitted model; models without draws take no seed."""
    model = MODELS[name](**parameters)
    if "random_state" in model.parameters():
        model = MODELS[name](**parameters, random_state=random_state)
    return model


def code_version() -> str:
    """Return the project's version and, in a checkout, its commit."""
    try:
        version = metadata.version("ponpare-warehouse")
    except metadata.PackageNotFoundError:
        version = "source"
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=settings.PROJECT_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    commit = described.stdout.strip()
    return f"{version} {commit}" if commit else version


def _row_without_evaluation(model: PurchaseModel, training: TrainingSet) -> dict:
    return {
        "model_name": model.name,
        "parameters": parameters_text(model.parameters()),
        "n_training_pairs": len(training),
        "fit_seconds": 0.0,
        "n_evaluated_pairs": 0,
        "predict_seconds": 0.0,
        "pairs_per_second": None,
        "latency_p50_ms": None,
        "latency_p95_ms": None,
    }


def _reasons(
    warehouse: Warehouse,
    model: PurchaseModel,
    training: TrainingSet,
    candidates: Candidates,
    ranks: np.ndarray,
) -> pa.Table:
    rows, columns = np.nonzero(ranks <= metrics.TOP_K)
    pairs = pa.table(
        {
            "user_id": candidates.user_ids[rows],
            "coupon_id": candidates.coupon_ids[columns],
        }
    )
    averages = np.nanmean(training.features.numeric, axis=0, dtype=np.float64)
    writer = ReasonWriter(model, warehouse.columns("scoring_pairs"), averages)
    parts = []
    for keys, features in read_pairs(
        warehouse, training.features.contract, candidates.cutoff, pairs
    ):
        parts.append(
            pa.table(
                {
                    "user_id": keys.column("user_id"),
                    "coupon_id": keys.column("coupon_id"),
                    "reasons": writer.write(features),
                }
            )
        )
    return pa.concat_tables(parts)


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
