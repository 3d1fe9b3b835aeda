"""Search hyper-parameters in time order, choose the blend's weights and the default.

Fits each setting on the earlier target weeks before 2012-04-15 and judges it by the
mean MAP@10 of the last four of them; the weeks that are reported are never looked at.
Settings are proposed by Optuna's TPE sampler, the models' defaults first. Then the
blend: starting from the best model, another one joins if it makes the blend better by a
paired interval above zero. Record and choice go to ml.hyperparameter_search and
ml.model_settings; `python -m ml.train` takes the latest choice made on the same files.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import optuna

from ml import cli, metrics
from ml.chosen import parameters_text, today, write_shipped
from ml.judged import JudgedWeek, read_judged_week, selection_weeks
from ml.models import MEMBERS, build
from ml.models.blend import log_odds
from ml.pairs import TrainingSet, read_contract, read_training_set
from ml.progress import note, step
from ml.publish import insert_rows
from ml.search_space import SEARCH_ONLY, SPACES
from ml.version import code_version
from ml.warehouse import Warehouse, open_warehouse

EXAMPLE = "example: python -m ml.search --trials 20"
N_TRIALS = 10
#: Weights that are tried for a model that joins a blend.
JOINING_WEIGHTS = (0.2, 0.35, 0.5, 0.65)


@dataclass(frozen=True)
class Trial:
    """MAP@10 of one setting on one validation week."""

    model_name: str
    setting: int
    parameters: dict
    cutoff: dt.date
    map_at_10: float
    fit_seconds: float


@dataclass
class Search:
    """The record of a search and what it chose.

    Attributes
    ----------
    mean_map_at_10
        Per chosen model the mean over the validation weeks.
    """

    fitting: list[dt.date]
    judged: list[dt.date]
    trials: list[Trial] = field(default_factory=list)
    parameters: dict[str, dict] = field(default_factory=dict)
    mean_map_at_10: dict[str, float] = field(default_factory=dict)
    default_model: str = ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("search", __doc__, EXAMPLE)
    parser.add_argument(
        "--models",
        nargs="+",
        choices=MEMBERS,
        default=list(MEMBERS),
        metavar="MODEL",
        help=f"models to search and to blend, one of which or whose blend becomes the "
        f"default: {', '.join(MEMBERS)} (default: all)",
    )
    parser.add_argument(
        "--trials",
        type=int,
        default=N_TRIALS,
        help="settings that are tried per model (default: %(default)s)",
    )
    cli.add_seed(parser)
    parser.add_argument(
        "--write",
        type=Path,
        metavar="FILE",
        help="also write the choice as JSON (ml/chosen_settings.json is shipped)",
    )
    options = parser.parse_args(arguments)
    return cli.run(lambda: run_search(options))


def run_search(options: argparse.Namespace) -> Search:
    """Search, publish, print.

    Raises
    ------
    CommandError
        The file cannot be written, or there is nothing to try.
    WarehouseError
        The warehouse is not built, or has too few weeks to choose on.
    """
    if options.trials < 1:
        raise cli.CommandError("--trials: at least one setting has to be tried.")
    cli.check_writable(options.write)
    started_at = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    with open_warehouse(read_only=True) as warehouse:
        fingerprint = warehouse.data_fingerprint()
        found = search(warehouse, options.models, options.trials, options.seed)
        ((n_users,),) = warehouse.rows("select count(*) from core.dim_users")
    run_id = f"search-{started_at:%Y%m%dT%H%M%S}-{fingerprint[:8]}"
    with step("publishing the choice"), open_warehouse() as warehouse:
        _publish(warehouse, found, run_id, fingerprint)
    if options.write is not None:
        record = {
            "data": f"{n_users:,} users, files {fingerprint[:8]}",
            "searched_on": today(),
            "fitted_on": f"{found.fitting[0]} .. {found.fitting[-1]}",
            "judged_on": [str(day) for day in found.judged],
            "settings_tried": len({(t.model_name, t.setting) for t in found.trials}),
            "mean_map_at_10": {
                name: round(value, 5) for name, value in found.mean_map_at_10.items()
            },
            "code_version": code_version(),
        }
        write_shipped(options.write, found.parameters, found.default_model, record)
    _print(found)
    return found


def search(
    warehouse: Warehouse, names: Sequence[str], n_trials: int, random_state: int = 0
) -> Search:
    """Try settings of the named models, then blend the best of each.

    Raises
    ------
    WarehouseError
        There are too few labelled weeks to fit on some and judge on others.
    """
    fitting, judged = selection_weeks(warehouse.cutoffs())
    found = Search(fitting, judged)
    ((n_users,),) = warehouse.rows("select count(*) from core.dim_users")
    with step(f"reading {len(fitting)} weeks to fit on, {len(judged)} to judge on"):
        contract = read_contract(warehouse, fitting)
        training = read_training_set(warehouse, contract, fitting)
        weeks = [read_judged_week(warehouse, contract, day) for day in judged]
    for name in names:
        with step(f"searching {name}"):
            _search_model(found, name, n_trials, training, weeks, n_users, random_state)
    with step("blending"):
        _choose_blend(found, names, training, weeks, n_users, random_state)
    return found


def _search_model(
    found: Search,
    name: str,
    n_trials: int,
    training: TrainingSet,
    weeks: list[JudgedWeek],
    n_users: int,
    random_state: int,
) -> None:
    best: dict[float, dict] = {}

    def objective(trial: optuna.Trial) -> float:
        parameters = SPACES[name](trial)
        started = time.perf_counter()
        model = build(name, parameters | SEARCH_ONLY, random_state).fit(training)
        seconds = time.perf_counter() - started
        values = [
            float(week.average_precision(model).sum() / n_users) for week in weeks
        ]
        found.trials += [
            Trial(name, trial.number + 1, parameters, week.cutoff, value, seconds)
            for week, value in zip(weeks, values, strict=True)
        ]
        mean = float(np.mean(values))
        # the first of equals
        best.setdefault(mean, parameters)
        note(f"{trial.number + 1}:{mean:.5f}")
        return mean

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=random_state)
    )
    study.enqueue_trial(SPACES[name].defaults)
    study.optimize(objective, n_trials=n_trials)
    found.mean_map_at_10[name] = max(best)
    found.parameters[name] = best[max(best)]


def _choose_blend(
    found: Search,
    names: Sequence[str],
    training: TrainingSet,
    weeks: list[JudgedWeek],
    n_users: int,
    random_state: int,
) -> None:
    """Let models join the best one as long as each makes the blend surely better."""
    scores: dict[str, list[np.ndarray]] = {}
    for name in names:
        model = build(name, found.parameters[name], random_state).fit(training)
        scores[name] = [log_odds(week.predict(model)) for week in weeks]
        found.mean_map_at_10[name] = _mean(_precision(scores[name], weeks), n_users)
        note(name)
    ranked = sorted(names, key=lambda name: -found.mean_map_at_10[name])
    weights, blend = {ranked[0]: 1.0}, scores[ranked[0]]
    users = metrics.bootstrap_counts(
        len(np.unique(np.concatenate([w.user_ids for w in weeks]))),
        metrics.N_BOOTSTRAP,
        random_state,
    )
    current = _precision(blend, weeks)
    while len(weights) < len(names):
        candidates = [
            (_mean(precision, n_users), name, share, joined, precision)
            for name in names
            if name not in weights
            for share in JOINING_WEIGHTS
            for joined in [
                [
                    (1 - share) * of_blend + share * of_model
                    for of_blend, of_model in zip(blend, scores[name], strict=True)
                ]
            ]
            for precision in [_precision(joined, weeks)]
        ]
        _, name, share, joined, precision = max(candidates, key=lambda c: c[:3])
        gain = _gain_by_user(precision, current, weeks)
        _, low, _ = metrics.ratio_interval(gain, np.ones(len(gain)), users)
        if not low > 0:
            break
        weights = {n: w * (1 - share) for n, w in weights.items()} | {name: share}
        blend, current = joined, precision
    found.parameters["blend"] = {
        "weights": {n: round(w, 4) for n, w in weights.items()}
    }
    found.mean_map_at_10["blend"] = _mean(current, n_users)
    found.default_model = "blend" if len(weights) > 1 else ranked[0]


def _precision(scores: list[np.ndarray], weeks: list[JudgedWeek]) -> list[np.ndarray]:
    return [
        metrics.average_precision(metrics.top_k(of_week), week.labels)
        for of_week, week in zip(scores, weeks, strict=True)
    ]


def _mean(precision: list[np.ndarray], n_users: int) -> float:
    return float(np.mean([of_week.sum() / n_users for of_week in precision]))


def _gain_by_user(
    new: list[np.ndarray], old: list[np.ndarray], weeks: list[JudgedWeek]
) -> np.ndarray:
    """Return each buyer's gain in AP, summed over the weeks."""
    user = np.concatenate([week.user_ids for week in weeks])
    _, position = np.unique(user, return_inverse=True)
    return np.bincount(position, np.concatenate(new) - np.concatenate(old))


def _publish(
    warehouse: Warehouse, found: Search, run_id: str, fingerprint: str
) -> None:
    warehouse.check_same_data(
        fingerprint,
        "nothing was written. Run `python -m ml.search` again.",
    )
    chosen_at = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    with warehouse.transaction():
        insert_rows(
            warehouse,
            "hyperparameter_search",
            [
                {
                    "run_id": run_id,
                    "model_name": trial.model_name,
                    "setting": trial.setting,
                    "parameters": parameters_text(trial.parameters),
                    "cutoff_date": trial.cutoff,
                    "metric": "map_at_10",
                    "value": trial.map_at_10,
                    "fit_seconds": trial.fit_seconds,
                }
                for trial in found.trials
            ],
        )
        insert_rows(
            warehouse,
            "model_settings",
            [
                {
                    "run_id": run_id,
                    "model_name": name,
                    "parameters": parameters_text(parameters),
                    "is_default": name == found.default_model,
                    "mean_map_at_10": found.mean_map_at_10[name],
                    "first_judged_cutoff": found.judged[0],
                    "last_judged_cutoff": found.judged[-1],
                    "data_fingerprint": fingerprint,
                    "chosen_at": chosen_at,
                }
                for name, parameters in found.parameters.items()
            ],
        )


def _print(found: Search) -> None:
    print(
        f"\nfitted on {found.fitting[0]} .. {found.fitting[-1]}, "
        f"judged on {', '.join(map(str, found.judged))}"
    )
    print(f"  {'model':<22}{'mean MAP@10':>12}  settings")
    for name, parameters in found.parameters.items():
        mark = " *" if name == found.default_model else ""
        print(
            f"  {name + mark:<22}{found.mean_map_at_10[name]:>12.5f}  "
            f"{parameters_text(parameters)}"
        )


if __name__ == "__main__":
    sys.exit(main())
