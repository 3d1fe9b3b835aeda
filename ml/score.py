"""Score a cutoff with the champion's model file, without fitting anything.

Takes the file of the champion that was published last and was not fitted on the
cutoff's own week or a later one, checks it, scores every candidate pair and publishes.
Nothing is evaluated: `python -m ml.train` does that on a fit of its own.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable, Sequence

import numpy as np

from ml import cli
from ml.card import card_rows, write_card
from ml.champion import champion
from ml.fitting import Fitted, model_row, score
from ml.mart_values import changed_features
from ml.model_files import ModelFile, file_of_run, file_to_score
from ml.progress import step
from ml.publish import Run, publish
from ml.registry import ChangedMartError, ModelFileError, SavedModel
from ml.scoring import complete_rows, published, scored_run
from ml.train import choose_cutoff
from ml.warehouse import DUCKDB, Warehouse, WarehouseError, open_warehouse

EXAMPLE = "example: python -m ml.score --cutoff 2012-06-24"
#: Features that an error message names.
NAMED = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("score", __doc__, EXAMPLE)
    parser.add_argument(
        "--cutoff",
        type=cli.date,
        help="Sunday whose target week is scored (default: the latest with candidates)",
    )
    parser.add_argument(
        "--run", metavar="RUN_ID", help="take the model that this run published"
    )
    cli.add_target(parser)
    options = parser.parse_args(arguments)
    return cli.run(lambda: score_cutoff(options.cutoff, options.run, options.target))


def score_cutoff(
    cutoff: dt.date | None = None, run_id: str | None = None, target: str = DUCKDB
) -> Run:
    """Score and publish; return what was published.

    Parameters
    ----------
    target
        Where the warehouse is, see :func:`ml.warehouse.open_warehouse`.

    Raises
    ------
    WarehouseError
        The warehouse is not built, the cutoff cannot be served, or no model may score
        it.
    ModelFileError
        The model's file is not what was published, or does not fit the marts.
    """
    with open_warehouse(read_only=True, target=target) as warehouse:
        day = choose_cutoff(warehouse.cutoffs(), cutoff).date
        if run_id is None:
            file = file_to_score(warehouse, champion(warehouse).recipe, day)
        else:
            file = file_of_run(warehouse, run_id)
    return publish_scores(file, day, target=target)


def publish_scores(
    file: ModelFile,
    cutoff: dt.date,
    also: Callable[[Warehouse, dt.datetime], None] = lambda *_: None,
    target: str = DUCKDB,
) -> Run:
    """Score a cutoff with a model file and publish.

    Parameters
    ----------
    also
        See :func:`ml.publish.publish`.
    target
        See :func:`ml.warehouse.open_warehouse`.
    """
    started_at = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    with open_warehouse(read_only=True, target=target) as warehouse:
        run = _compute(warehouse, file, cutoff, started_at)
    with step("publishing scores"), open_warehouse(target=target) as warehouse:
        publish(warehouse, run, also)
    write_card(run.run_id, run.card)
    print(f"\nrun {run.run_id}\n{published(run)}")
    return run


def _compute(
    warehouse: Warehouse, file: ModelFile, cutoff: dt.date, started_at: dt.datetime
) -> Run:
    fitted = load_fitted(warehouse, file, cutoff)
    model = fitted.models[file.recipe.model_name]
    print(f"  {file.path}, fitted up to the week of {file.last_week}", file=sys.stderr)
    scores = score(warehouse, fitted, cutoff)
    run = scored_run(warehouse, fitted, model, scores, started_at)
    rows = [model_row(fitted, model.name)]
    run.model_rows = complete_rows(rows, run, fitted, file.path, started_at)
    source = f"file {file.path} of run {file.run_id}, not fitted anew"
    seed = file.parameters.get("random_state", "none")
    run.card = card_rows(warehouse, run, source, seed)
    return run


def load_fitted(warehouse: Warehouse, file: ModelFile, cutoff: dt.date) -> Fitted:
    """Return the model of a file as if it had just been fitted, to score a cutoff.

    Raises
    ------
    ModelFileError
        The file is not what was published, or has no averages to give reasons by.
    ChangedMartError
        The marts have other features than it was fitted on, or hold other values of
        the last week that it was fitted on.
    WarehouseError
        The model was fitted on the cutoff's own week or a later one.
    """
    if file.last_week >= cutoff:
        raise WarehouseError(
            f"the model of run {file.run_id} was fitted on weeks up to "
            f"{file.last_week} and knows what happened in the week from {cutoff}: "
            "choose a later --cutoff, or another run."
        )
    saved = file.load(warehouse.columns("scoring_pairs"))
    _check_averages(saved, file)
    _check_values(warehouse, saved, file)
    name = saved.model.name
    return Fitted(
        models={name: saved.model},
        fit_seconds={name: file.fit_seconds},
        thresholds={},
        contract=saved.model.contract_,
        weeks=[file.first_week, file.last_week],
        n_pairs=file.n_pairs,
        averages=saved.averages,
        last_week=saved.last_week,
    )


def learned_from_other_marts(
    warehouse: Warehouse, file: ModelFile, cutoff: dt.date
) -> bool:
    """Return whether the marts have changed since a model was fitted on them.

    A file that cannot be used for another reason is for the scoring to refuse.
    """
    try:
        load_fitted(warehouse, file, cutoff)
    except ChangedMartError:
        return True
    except ModelFileError:
        return False
    return False


def _check_values(warehouse: Warehouse, saved: SavedModel, file: ModelFile) -> None:
    if saved.last_week is None:
        return
    changed = changed_features(warehouse, saved.model.contract_, saved.last_week)
    if changed:
        more = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
        raise ChangedMartError(
            f"{file.path} was fitted on other values than ml.training_pairs now holds "
            f"of the week from {saved.last_week.week} "
            f"({', '.join(changed[:NAMED])}{more}), so its features mean something "
            "else now: train again with `python -m ml.train`."
        )


def _check_averages(saved: SavedModel, file: ModelFile) -> None:
    if np.shape(saved.averages) != (len(saved.model.contract_.numeric),):
        raise ModelFileError(
            f"{file.path} has no averages of its features, by which reasons are given: "
            "train again with `python -m ml.train`."
        )


if __name__ == "__main__":
    sys.exit(main())
