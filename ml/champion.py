"""The model registry: which recipe is published, which challenge it, which were.

Table ``ml.model_registry`` has the stages of recipes; what was fitted by them stands in
``ml.model_files``, see :mod:`ml.model_files`.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass

from ml.chosen import ChosenSettings, read_chosen
from ml.models import KNOWN, LEFT_OUT, MODELS
from ml.publish import insert_rows
from ml.recipes import Recipe, recipe_from
from ml.warehouse import Warehouse, WarehouseError

CHAMPION = "champion"
CHALLENGER = "challenger"
RETIRED = "retired"
ROLLED_BACK = "rolled_back"
#: Who decided on a stage.
SETTINGS = "settings"
PROMOTION = "promotion"
ROLLBACK = "rollback"


@dataclass(frozen=True)
class Stage:
    """A recipe in the stage that it is in now, as in ``ml.model_registry``."""

    recipe: Recipe
    stage: str
    since: dt.datetime
    decided_by: str
    reason: str


def current_stages(warehouse: Warehouse, stage: str) -> list[Stage]:
    """Return the recipes that are in a stage now, the latest first."""
    rows = warehouse.rows(
        "select model_name, parameters, stage, since, decided_by, reason "
        "from ml.model_registry where until is null and stage = ? "
        "order by since desc, recipe_id",
        [stage],
    )
    return [Stage(Recipe(name, json.loads(text)), *rest) for name, text, *rest in rows]


def current_champion(warehouse: Warehouse) -> Stage | None:
    """Return the champion; None if no model was published yet."""
    found = current_stages(warehouse, CHAMPION)
    return found[0] if found else None


def champion(warehouse: Warehouse) -> Stage:
    """Return the champion.

    Raises
    ------
    WarehouseError
        No model was published yet.
    """
    found = current_champion(warehouse)
    if found is None:
        raise WarehouseError(
            "ml.model_registry has no champion yet: run `python -m ml.train`."
        )
    return found


def previous_champion(warehouse: Warehouse) -> Recipe | None:
    """Return the champion before the current one; those rolled back do not count."""
    rows = warehouse.rows(
        "select model_name, parameters from ml.model_registry as registry "
        f"where stage = '{CHAMPION}' and until is not null and recipe_id in "
        "(select recipe_id from ml.model_registry "
        f"where stage = '{RETIRED}' and until is null) "
        "order by until desc limit 1"
    )
    return Recipe(rows[0][0], json.loads(rows[0][1])) if rows else None


def read_champion(warehouse: Warehouse) -> ChosenSettings:
    """Return the settings that training goes by: the champion's are published.

    As long as nobody promoted a model or rolled one back, the champion is the default
    of the settings that :func:`ml.chosen.read_chosen` finds.

    Raises
    ------
    WarehouseError
        The champion cannot be fitted here.
    """
    chosen = read_chosen(warehouse)
    holder = current_champion(warehouse)
    if holder is None or holder.decided_by == SETTINGS:
        return chosen
    recipe = holder.recipe
    check_can_be_fitted(recipe)
    return ChosenSettings(
        chosen.parameters | {recipe.model_name: recipe.parameters},
        recipe.model_name,
        f"champion {recipe.recipe_id} since {holder.since:%Y-%m-%d} by "
        f"{holder.decided_by}; others {chosen.source}",
        chosen.settings_record,
    )


def recipe_to_train(warehouse: Warehouse) -> Recipe:
    """Return the recipe that the next training publishes."""
    chosen = read_champion(warehouse)
    return recipe_from(chosen.default_model, chosen.parameters[chosen.default_model])


def check_can_be_fitted(recipe: Recipe) -> None:
    """Raise WarehouseError unless this version of the project can fit a recipe."""
    name = recipe.model_name
    if name in LEFT_OUT:
        raise WarehouseError(LEFT_OUT[name])
    try:
        if name not in KNOWN:
            raise TypeError(f"there is no model {name}")
        MODELS[name](**recipe.parameters)
    except (TypeError, ValueError) as error:
        raise WarehouseError(
            f"recipe {recipe.recipe_id} is not known to this version of the project "
            f"({error}): run `python -m ml.rollback`, or go back to the version that "
            "fitted it (ml.model_files names it)."
        ) from error


def move(
    warehouse: Warehouse,
    recipe: Recipe,
    stage: str,
    at: dt.datetime,
    decided_by: str,
    reason: str,
    challenge_id: str | None = None,
) -> None:
    """End the stage that a recipe is in, if any, and begin another.

    Call it in a transaction: in between, the recipe is in no stage.
    """
    warehouse.update(
        "model_registry",
        {"until": at},
        where={"recipe_id": recipe.recipe_id, "until": None},
    )
    insert_rows(
        warehouse,
        "model_registry",
        [
            {
                "recipe_id": recipe.recipe_id,
                "model_name": recipe.model_name,
                "parameters": recipe.to_json(),
                "stage": stage,
                "since": at,
                "until": None,
                "decided_by": decided_by,
                "reason": reason,
                "challenge_id": challenge_id,
            }
        ],
    )


def replace_champion(
    warehouse: Warehouse,
    recipe: Recipe,
    at: dt.datetime,
    decided_by: str,
    reason: str,
    challenge_id: str | None = None,
) -> None:
    """Make a recipe the champion; the one before is retired, or rolled back."""
    before = current_champion(warehouse)
    if before is not None:
        stage = ROLLED_BACK if decided_by == ROLLBACK else RETIRED
        move(
            warehouse,
            before.recipe,
            stage,
            at,
            decided_by,
            f"{recipe.recipe_id} took its place",
            challenge_id,
        )
    move(warehouse, recipe, CHAMPION, at, decided_by, reason, challenge_id)


def settle_champion(
    warehouse: Warehouse, recipe: Recipe, source: str, at: dt.datetime
) -> None:
    """Write down which recipe a training published.

    Raises
    ------
    WarehouseError
        Another one was promoted or put back while the training was going on.
    """
    holder = current_champion(warehouse)
    if holder is not None and holder.recipe.recipe_id == recipe.recipe_id:
        return
    if holder is not None and holder.decided_by != SETTINGS:
        raise WarehouseError(
            f"{holder.recipe.recipe_id} became the champion while this run was going "
            "on; nothing was written. Run `python -m ml.train` again."
        )
    replace_champion(
        warehouse, recipe, at, SETTINGS, f"default of the settings: {source}"
    )
