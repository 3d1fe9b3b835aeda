"""Search hyper-parameters in time order, choose the blend's members and the default.

Fits each setting on the earlier target weeks before 2012-04-15 and judges it by the
mean MAP@10 of the last four of them; the weeks that are reported are never looked at.
The settings chosen before come first, then the models' defaults, then what Optuna's
TPE sampler proposes. The best of these has to beat the ones chosen before in a final:
each of the last eight of these weeks is predicted from the weeks before it. Of the
winners, the fewest models are averaged that are as good as any of their blends on these
weeks, or nearly, and no worse than one of them alone. The blend is the default if it
beats the best model by a paired interval above zero. Record and choice go to
ml.hyperparameter_search and ml.model_settings; `python -m ml.train` takes the latest
choice made on the same files.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import optuna

from ml import cli
from ml.blending import (
    ScoredWeek,
    blending_weeks,
    choose_blend,
    map_at_10,
    score_weeks,
)
from ml.chosen import parameters_text, read_chosen, today, write_shipped
from ml.judged import JudgedWeek, read_judged_week, selection_weeks
from ml.models import MEMBERS, build
from ml.pairs import TrainingSet, read_contract, read_training_set
from ml.progress import note, step
from ml.publish import insert_rows
from ml.search_space import SEARCH_ONLY, SPACES
from ml.version import code_version
from ml.warehouse import Warehouse, open_warehouse

EXAMPLE = "example: python -m ml.search --trials 20"
N_TRIALS = 10
#: The number of the setting that was chosen before.
INCUMBENT = 1
#: Settings that are drawn at random before Optuna learns from what came of them.
N_RANDOM_TRIALS = 4


@dataclass(frozen=True)
class Trial:
    """MAP@10 of one setting on one validation week.

    Attributes
    ----------
    metric
        ``map_at_10``, or ``map_at_10_refitted`` if the models were fitted on all
        selection weeks before this one.
    """

    model_name: str
    setting: int
    parameters: dict
    cutoff: dt.date
    map_at_10: float
    fit_seconds: float
    metric: str = "map_at_10"


@dataclass
class Search:
    """The record of a search and what it chose.

    Attributes
    ----------
    fitting, judged
        Weeks that settings were fitted and judged on.
    blended
        Weeks that the blend was chosen on, each predicted from the weeks before it.
    finalists
        Per model the settings that are compared on these, by their number.
    parameters
        Those chosen.
    mean_map_at_10
        Per chosen model, the blend among them, the mean over these.
    settings_record
        Where the settings come from, if they were not searched now.
    """

    fitting: list[dt.date]
    judged: list[dt.date]
    blended: list[dt.date]
    trials: list[Trial] = field(default_factory=list)
    finalists: dict[str, dict[int, dict]] = field(default_factory=dict)
    parameters: dict[str, dict] = field(default_factory=dict)
    mean_map_at_10: dict[str, float] = field(default_factory=dict)
    default_model: str = ""
    settings_record: dict = field(default_factory=dict)


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
        help="settings that are tried per model beside those chosen before; 0 keeps "
        "these and chooses the blend alone (default: %(default)s)",
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
        The file cannot be written, or fewer than no settings are to be tried.
    WarehouseError
        The warehouse is not built, or has too few weeks to choose on.
    """
    if options.trials < 0:
        raise cli.CommandError("--trials: fewer than no settings cannot be tried.")
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
        about = {
            "data": f"{n_users:,} users, files {fingerprint[:8]}",
            "searched_on": today(),
            "code_version": code_version(),
        }
        record = about | {
            "settings": found.settings_record or about | _of_settings(found),
            "blend": {
                "judged_on": [str(day) for day in found.blended],
                "mean_map_at_10": {
                    name: round(value, 5)
                    for name, value in found.mean_map_at_10.items()
                },
            },
        }
        write_shipped(options.write, found.parameters, found.default_model, record)
    _print(found)
    return found


def search(
    warehouse: Warehouse, names: Sequence[str], n_trials: int, random_state: int = 0
) -> Search:
    """Try settings of the named models, then blend the best of each.

    Without trials the settings stay those that were chosen before.

    Raises
    ------
    WarehouseError
        There are too few labelled weeks to fit on some and judge on others.
    """
    cutoffs = warehouse.cutoffs()
    fitting, judged = selection_weeks(cutoffs)
    before = read_chosen(warehouse)
    found = Search(fitting, judged, blending_weeks(cutoffs))
    ((n_users,),) = warehouse.rows("select count(*) from core.dim_users")
    found.finalists = {name: {INCUMBENT: before.parameters[name]} for name in names}
    if n_trials:
        _search_settings(warehouse, found, n_trials, n_users, random_state)
    else:
        found.settings_record = before.settings_record
    n_settings = sum(map(len, found.finalists.values()))
    with step(f"predicting {len(found.blended)} weeks with {n_settings} settings"):
        weeks = _score_finalists(warehouse, found, random_state)
    weeks = _choose_settings(found, weeks, n_users)
    _choose_blend(found, weeks, n_users, random_state)
    return found


def _search_settings(
    warehouse: Warehouse,
    found: Search,
    n_trials: int,
    n_users: int,
    random_state: int,
) -> None:
    n_fitting, n_judged = len(found.fitting), len(found.judged)
    with step(f"reading {n_fitting} weeks to fit on, {n_judged} to judge on"):
        contract = read_contract(warehouse, found.fitting)
        training = read_training_set(warehouse, contract, found.fitting)
        weeks = [read_judged_week(warehouse, contract, day) for day in found.judged]
    for name in found.finalists:
        with step(f"searching {name}"):
            _search_model(found, name, n_trials, training, weeks, n_users, random_state)


def _of_settings(found: Search) -> dict:
    return {
        "fitted_on": f"{found.fitting[0]} .. {found.fitting[-1]}",
        "judged_on": [str(day) for day in found.judged],
        "final_on": [str(day) for day in found.blended],
        "tried": len({(t.model_name, t.setting) for t in found.trials}),
    }


def _search_model(
    found: Search,
    name: str,
    n_trials: int,
    training: TrainingSet,
    weeks: list[JudgedWeek],
    n_users: int,
    random_state: int,
) -> None:
    seen: dict[str, float] = {}
    tried: dict[int, tuple[float, dict]] = {}

    def judge(setting: int, parameters: dict) -> float:
        model = build(name, parameters | SEARCH_ONLY, random_state)
        everything = parameters_text(model.parameters())
        if everything in seen:
            return seen[everything]
        started = time.perf_counter()
        model.fit(training)
        seconds = time.perf_counter() - started
        values = [
            float(week.average_precision(model).sum() / n_users) for week in weeks
        ]
        found.trials += [
            Trial(name, setting, parameters, week.cutoff, value, seconds)
            for week, value in zip(weeks, values, strict=True)
        ]
        mean = seen[everything] = float(np.mean(values))
        tried[setting] = mean, parameters
        note(f"{setting}:{mean:.5f}")
        return mean

    judge(INCUMBENT, found.finalists[name][INCUMBENT])
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(
        n_startup_trials=N_RANDOM_TRIALS, seed=random_state
    )
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.enqueue_trial(SPACES[name].defaults)
    study.optimize(
        lambda trial: judge(INCUMBENT + 1 + trial.number, SPACES[name](trial)),
        n_trials=n_trials,
    )
    newcomers = [setting for setting in tried if setting != INCUMBENT]
    if newcomers:
        # the first of equals
        best = max(newcomers, key=lambda setting: tried[setting][0])
        found.finalists[name][best] = tried[best][1]


def _label(name: str, setting: int) -> str:
    return f"{name} {setting}"


def _score_finalists(
    warehouse: Warehouse, found: Search, random_state: int
) -> list[ScoredWeek]:
    settings = {
        _label(name, setting): (name, parameters)
        for name, finalists in found.finalists.items()
        for setting, parameters in finalists.items()
    }
    return score_weeks(warehouse, found.blended, settings, random_state)


def _choose_settings(
    found: Search, weeks: list[ScoredWeek], n_users: int
) -> list[ScoredWeek]:
    """Take each model's best finalist; return the weeks with its scores alone."""
    taken = {}
    for name, finalists in found.finalists.items():
        values = {
            setting: map_at_10(weeks, [_label(name, setting)], n_users)
            for setting in finalists
        }
        if len(finalists) > 1:
            found.trials += [
                Trial(
                    *(name, setting, finalists[setting], week.cutoff, value),
                    week.fit_seconds[_label(name, setting)],
                    "map_at_10_refitted",
                )
                for setting, of_setting in values.items()
                for week, value in zip(weeks, of_setting, strict=True)
            ]
        # the first of equals
        best = max(values, key=lambda setting: np.mean(values[setting]))
        taken[name], found.parameters[name] = _label(name, best), finalists[best]
    return [
        replace(week, scores={name: week.scores[taken[name]] for name in taken})
        for week in weeks
    ]


def _choose_blend(
    found: Search, weeks: list[ScoredWeek], n_users: int, random_state: int
) -> None:
    blend = choose_blend(weeks, n_users, random_state)
    found.parameters["blend"] = {
        "weights": {name: round(weight, 4) for name, weight in blend.weights.items()}
    }
    found.mean_map_at_10 = blend.mean_map_at_10 | {"blend": blend.blend_map_at_10}
    found.default_model = (
        "blend"
        if blend.is_surely_better
        else max(blend.mean_map_at_10, key=blend.mean_map_at_10.__getitem__)
    )


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
                    "metric": trial.metric,
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
                    "first_judged_cutoff": found.blended[0],
                    "last_judged_cutoff": found.blended[-1],
                    "data_fingerprint": fingerprint,
                    "chosen_at": chosen_at,
                }
                for name, parameters in found.parameters.items()
            ],
        )


def _print(found: Search) -> None:
    if found.trials:
        print(
            f"\nsettings fitted on {found.fitting[0]} .. {found.fitting[-1]}, "
            f"judged on {', '.join(map(str, found.judged))}"
        )
    print(
        f"\n{found.blended[0]} .. {found.blended[-1]}, each week predicted from those "
        "before it"
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
