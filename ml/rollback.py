"""Put the champion before back, and publish its scores from its model file.

The champion of now is rolled back: only a new comparison by `python -m ml.promote`
makes it champion again. With --run the scores of the model that this run published come
back, whether of another recipe or an earlier fit of the same one. The registry and the
scores change in one transaction.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Sequence

from ml import cli
from ml.champion import ROLLBACK, champion, previous_champion, replace_champion
from ml.model_files import ModelFile, file_of_run, file_to_score
from ml.publish import Run
from ml.score import publish_scores
from ml.train import choose_cutoff
from ml.warehouse import Warehouse, WarehouseError, open_warehouse

EXAMPLE = 'example: python -m ml.rollback --reason "few hits since Monday"'


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("rollback", __doc__, EXAMPLE)
    parser.add_argument(
        "--run",
        metavar="RUN_ID",
        help="go back to the model of this run (default: the latest of the champion "
        "before)",
    )
    parser.add_argument(
        "--cutoff",
        type=cli.date,
        help="Sunday whose target week is scored (default: the latest with candidates)",
    )
    parser.add_argument("--reason", default="", help="why, for the registry")
    options = parser.parse_args(arguments)
    return cli.run(lambda: roll_back(options))


def roll_back(options: argparse.Namespace) -> Run:
    """Put a model back and publish its scores.

    Raises
    ------
    WarehouseError
        There is nothing to go back to, or it cannot score the cutoff.
    ModelFileError
        The file of the model is not what was published.
    """
    with open_warehouse(read_only=True) as warehouse:
        cutoff = choose_cutoff(warehouse.cutoffs(), options.cutoff).date
        now = champion(warehouse).recipe
        file = _file_to_go_back_to(warehouse, options.run, cutoff)
    is_other = file.recipe.recipe_id != now.recipe_id

    def record(warehouse: Warehouse, at: dt.datetime) -> None:
        if champion(warehouse).recipe.recipe_id != now.recipe_id:
            raise WarehouseError(
                "another recipe became the champion while this was going on; nothing "
                "was written. Run `python -m ml.rollback` again."
            )
        if is_other:
            reason = f"back from {now.recipe_id} to the model of run {file.run_id}"
            if options.reason:
                reason += f": {options.reason}"
            replace_champion(warehouse, file.recipe, at, ROLLBACK, reason)

    run = publish_scores(file, cutoff, record)
    if is_other:
        print(f"champion: {file.recipe.recipe_id}, in place of {now.recipe_id}")
    else:
        print(f"the champion stays {now.recipe_id}, with the fit of run {file.run_id}")
    return run


def _file_to_go_back_to(
    warehouse: Warehouse, run_id: str | None, cutoff: dt.date
) -> ModelFile:
    if run_id is not None:
        return file_of_run(warehouse, run_id)
    before = previous_champion(warehouse)
    if before is None:
        holder = champion(warehouse)
        raise WarehouseError(
            f"no champion came before {holder.recipe.recipe_id}, which is one since "
            f"{holder.since:%Y-%m-%d}: name an earlier fit of it by --run; "
            "ml.model_files lists them."
        )
    return file_to_score(warehouse, before, cutoff)


if __name__ == "__main__":
    sys.exit(main())
