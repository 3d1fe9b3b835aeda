"""Compare a challenger with the champion, and promote it if it is surely better.

Both are fitted anew on the labelled weeks before each judged week and rank the same
pairs. The challenger becomes the champion if MAP@10 over all users and judged weeks,
two at least, is higher by a paired 95 % bootstrap interval above zero. The comparison
goes to ml.model_challenges either way, the decision to ml.model_registry. What is
published changes with the next `python -m ml.train`.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Sequence

from ml import cli
from ml.challenge import (
    MIN_JUDGED_WEEKS,
    Verdict,
    judge,
    precision_by_week,
    weeks_to_judge,
)
from ml.champion import (
    CHALLENGER,
    PROMOTION,
    champion,
    check_can_be_fitted,
    move,
    replace_champion,
)
from ml.chosen import read_chosen
from ml.fitting import possible_models
from ml.models import MODELS
from ml.publish import insert_rows
from ml.recipes import Recipe, recipe_from
from ml.version import code_version
from ml.warehouse import Warehouse, WarehouseError, open_warehouse

EXAMPLE = "example: python -m ml.promote --challenger lightgbm_binary --weeks 3"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("promote", __doc__, EXAMPLE)
    parser.add_argument(
        "--challenger",
        choices=MODELS,
        metavar="MODEL",
        type=cli.model_name,
        help="model with the hyper-parameters of the settings (default: the settings' "
        f"own default): {', '.join(MODELS)}",
    )
    parser.add_argument(
        "--weeks",
        type=int,
        default=MIN_JUDGED_WEEKS,
        help="latest labelled weeks that are judged (default: %(default)s)",
    )
    cli.add_seed(parser)
    options = parser.parse_args(arguments)
    return cli.run(lambda: promote(options))


def promote(options: argparse.Namespace) -> list[Verdict]:
    """Compare, decide and write both down; return what was found, overall first.

    Raises
    ------
    CommandError
        Too few weeks are to be judged.
    WarehouseError
        There is no champion, no other recipe, or no weeks to judge on.
    """
    if options.weeks < MIN_JUDGED_WEEKS:
        raise cli.CommandError(
            f"--weeks: {options.weeks} is too few to promote on, at least "
            f"{MIN_JUDGED_WEEKS} are needed."
        )
    started_at = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    with open_warehouse(read_only=True) as warehouse:
        fingerprint = warehouse.data_fingerprint()
        holder = champion(warehouse).recipe
        rival = _challenger(warehouse, holder, options.challenger)
        labelled = [c.date for c in warehouse.cutoffs() if c.is_labelled]
        weeks = weeks_to_judge(labelled, options.weeks)
        precision = precision_by_week(
            warehouse, [holder, rival], labelled, weeks, options.seed
        )
    verdicts = judge(precision, weeks, options.seed)
    with open_warehouse() as warehouse:
        _record(warehouse, (holder, rival), verdicts, started_at, fingerprint)
    print(_text(holder, rival, verdicts))
    return verdicts


def _challenger(warehouse: Warehouse, holder: Recipe, name: str | None) -> Recipe:
    chosen = read_chosen(warehouse)
    name = name or chosen.default_model
    rival = recipe_from(name, chosen.parameters[name])
    if rival.recipe_id == holder.recipe_id:
        raise WarehouseError(
            f"{rival.recipe_id} is the champion itself: name another --challenger, or "
            "let `python -m ml.search` look for other hyper-parameters."
        )
    possible = possible_models(warehouse)
    for recipe in (holder, rival):
        check_can_be_fitted(recipe)
        if recipe.model_name not in possible:
            raise WarehouseError(
                f"{recipe.model_name} needs a visit log, which these data have not."
            )
    return rival


def _record(
    warehouse: Warehouse,
    recipes: tuple[Recipe, Recipe],
    verdicts: Sequence[Verdict],
    started_at: dt.datetime,
    fingerprint: str,
) -> None:
    """Write the comparison and its consequence down, all or nothing."""
    holder, rival = recipes
    again = "nothing was written. Run `python -m ml.promote` again."
    warehouse.check_same_data(fingerprint, again)
    overall = verdicts[0]
    challenge_id = f"{started_at:%Y%m%dT%H%M%S}-{fingerprint[:8]}"
    at = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    shared = {
        "challenge_id": challenge_id,
        "champion_recipe_id": holder.recipe_id,
        "challenger_recipe_id": rival.recipe_id,
        "is_promoted": overall.is_promotion,
        "data_fingerprint": fingerprint,
        "code_version": code_version(),
        "started_at": started_at,
        "finished_at": at,
    }
    reason = (
        f"MAP@10 {overall.difference:+.5f} ({overall.low:+.5f}..{overall.high:+.5f}) "
        f"against {holder.recipe_id} over {len(overall.weeks)} weeks"
    )
    decision = (at, PROMOTION, reason, challenge_id)
    with warehouse.transaction():
        if champion(warehouse).recipe.recipe_id != holder.recipe_id:
            raise WarehouseError(
                f"another recipe became the champion while this was going on; {again}"
            )
        insert_rows(
            warehouse, "model_challenges", [shared | _row(one) for one in verdicts]
        )
        if overall.is_promotion:
            replace_champion(warehouse, rival, *decision)
        else:
            move(warehouse, rival, CHALLENGER, *decision)


def _row(verdict: Verdict) -> dict:
    return {
        "first_judged_cutoff": verdict.weeks[0],
        "last_judged_cutoff": verdict.weeks[-1],
        "n_judged_cutoffs": len(verdict.weeks),
        "n_users": verdict.n_users,
        "champion_map_at_10": verdict.champion,
        "challenger_map_at_10": verdict.challenger,
        "difference": verdict.difference,
        "difference_low": verdict.low,
        "difference_high": verdict.high,
    }


def _text(holder: Recipe, rival: Recipe, verdicts: Sequence[Verdict]) -> str:
    lines = [
        f"\nMAP@10 over {verdicts[0].n_users:,} users, 95 % intervals",
        f"  {'week':<12}{'champion':>10}{'challenger':>12}  difference",
    ]
    for verdict in (*verdicts[1:], verdicts[0]):
        day = str(verdict.weeks[0]) if len(verdict.weeks) == 1 else "all"
        lines.append(
            f"  {day:<12}{verdict.champion:>10.5f}{verdict.challenger:>12.5f}  "
            f"{verdict.difference:+.5f} ({verdict.low:+.5f}..{verdict.high:+.5f})"
        )
    if verdicts[0].is_promotion:
        lines.append(
            f"{rival.recipe_id} is the champion now, in place of {holder.recipe_id}: "
            "publish it with `python -m ml.train`."
        )
    else:
        lines.append(
            f"{holder.recipe_id} stays the champion: the interval of the difference "
            "does not lie above zero."
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
