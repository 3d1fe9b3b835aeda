"""Fit the models, evaluate them on a week they have not seen, publish scores.

Fits on the labelled cutoffs before --cutoff, evaluates on the cutoff itself if it is
labelled, else on the last labelled one before it; then fits the default model on all
labelled cutoffs before --cutoff, scores every candidate pair and publishes.
"""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from ml import cli, metrics, settings
from ml.fitting import Evaluation, Scoring, measure_models, score_cutoff
from ml.pairs import read_pairs
from ml.progress import peak_memory_mb, step
from ml.publish import Run, publish
from ml.reasons import ReasonWriter
from ml.registry import model_path, save_model
from ml.search import SearchResult, default_settings, parameters_text, search
from ml.warehouse import Cutoff, Warehouse, WarehouseError, open_warehouse

EXAMPLE = "example: python -m ml.train --cutoff 2012-06-10"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("train", __doc__, EXAMPLE)
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

    found = default_settings()
    if not no_search:
        with step("searching hyper-parameters"):
            # without the last week, which full and cut files may both evaluate on
            found = search(warehouse, earlier[:-1], random_state)
    evaluation = None
    if known:
        weeks = [c.date for c in known]
        evaluation = measure_models(
            warehouse, weeks, evaluated.date, found, random_state
        )
    scoring, evaluation = _score_default(
        warehouse,
        [c.date for c in earlier],
        cutoff.date,
        found,
        evaluation,
        random_state,
    )
    run = Run(
        run_id=f"{cutoff.date:%Y%m%d}-{started_at:%Y%m%dT%H%M%S}-{fingerprint[:8]}",
        data_fingerprint=fingerprint,
        default_model=scoring.model.name,
        candidates=scoring.candidates,
        scores=scoring.scores,
        ranks=scoring.ranks(),
        evaluated_cutoff=evaluation.cutoff if evaluation else None,
        metrics=evaluation.metrics if evaluation else [],
        trials=found.trials,
        coefficients=scoring.model.coefficients(),
    )
    with step("writing reasons"):
        run.reasons = _reasons(warehouse, scoring, run.ranks)
    path = model_path(run.run_id, scoring.model.name)
    save_model(scoring.model, path)
    rows = evaluation.model_rows if evaluation else [_unmeasured_row(scoring)]
    run.model_rows = _complete_rows(rows, run, scoring, path, started_at)
    return run


def _score_default(
    warehouse: Warehouse,
    weeks: list[dt.date],
    cutoff: dt.date,
    found: SearchResult,
    evaluation: Evaluation | None,
    random_state: int,
) -> tuple[Scoring, Evaluation | None]:
    """Score the cutoff with the best model fitted on all labelled weeks before it.

    If the evaluation was on that very cutoff, its fit and scores are those wanted.
    Otherwise its matrices are let go first: both would not fit into memory.
    """
    if evaluation is None:
        return score_cutoff(warehouse, weeks, cutoff, found, random_state), None
    if evaluation.cutoff == cutoff:
        model = evaluation.models[found.best_model]
        scores = evaluation.grid.scores[found.best_model]
        candidates = evaluation.grid.candidates
        scoring = Scoring(model, evaluation.training, candidates, scores, 0.0)
        return scoring, evaluation
    evaluation.release()
    return score_cutoff(warehouse, weeks, cutoff, found, random_state), evaluation


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


def code_version() -> str:
    """Return the project's version and, in a checkout, its commit."""
    project = tomllib.loads(
        (settings.PROJECT_DIR / "pyproject.toml").read_text(encoding="utf-8")
    )
    version = project["project"]["version"]
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=settings.PROJECT_DIR,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return version
    return f"{version} {described.stdout.strip()}".strip()


def _unmeasured_row(scoring: Scoring) -> dict:
    """Return the row of a model that could not be measured: no week to do it on."""
    return {
        "model_name": scoring.model.name,
        "parameters": parameters_text(scoring.model.parameters()),
        "n_training_pairs": len(scoring.training),
        "fit_seconds": scoring.fit_seconds,
        "n_evaluated_pairs": 0,
        "predict_seconds": 0.0,
        "pairs_per_second": None,
        "latency_p50_ms": None,
        "latency_p95_ms": None,
    }


def _complete_rows(
    rows: list[dict], run: Run, scoring: Scoring, path: Path, started_at: dt.datetime
) -> list[dict]:
    """Add to the rows of ``ml.model_runs`` what they have in common."""
    trained_on = np.unique(scoring.training.cutoff)
    shared = {
        "run_id": run.run_id,
        "cutoff_date": run.candidates.cutoff,
        "evaluated_cutoff_date": run.evaluated_cutoff,
        "data_fingerprint": run.data_fingerprint,
        "code_version": code_version(),
        "first_training_cutoff": trained_on[0].item(),
        "last_training_cutoff": trained_on[-1].item(),
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


def _reasons(warehouse: Warehouse, scoring: Scoring, ranks: np.ndarray) -> pa.Table:
    rows, columns = np.nonzero(ranks <= metrics.TOP_K)
    candidates, features = scoring.candidates, scoring.training.features
    pairs = pa.table(
        {
            "user_id": candidates.user_ids[rows],
            "coupon_id": candidates.coupon_ids[columns],
        }
    )
    averages = np.array([_average(values) for values in features.numeric.T])
    writer = ReasonWriter(scoring.model, warehouse.columns("scoring_pairs"), averages)
    return pa.concat_tables(
        pa.table(
            {
                "user_id": keys.column("user_id"),
                "coupon_id": keys.column("coupon_id"),
                "reasons": writer.write(batch),
            }
        )
        for keys, batch in read_pairs(
            warehouse, features.contract, candidates.cutoff, pairs
        )
    )


def _average(values: np.ndarray) -> float:
    """Return the mean of the values that are known, NaN if there is none."""
    known = values[~np.isnan(values)]
    return known.mean(dtype=np.float64) if len(known) else float("nan")


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
