"""Recommend coupons to one person, and say why.

A user of the files is answered from the published table, or from the champion's model
if nothing was published for the week. Somebody who registered since is described by
--sex, --age and, if they named one, --prefecture: the model sees what it sees of a user
on the day of registration.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Sequence

from ml import cli
from ml.answers import (
    NEWCOMERS,
    Answer,
    LoadedModel,
    nearest_newcomer,
    published,
)
from ml.markdown import aligned
from ml.train import choose_cutoff
from ml.warehouse import Warehouse, WarehouseError, open_warehouse

EXAMPLE = "example: python -m ml.recommend --sex f --age 34 --prefecture tokyo"


SEX = {"f": "female", "m": "male"}
HEAD = ["", "score", "coupon", "price", "where", "why"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("recommend", __doc__, EXAMPLE)
    parser.add_argument("--user", metavar="USER_HASH", help="a user of user_list")
    parser.add_argument("--sex", choices=sorted(SEX), help="of a newcomer")
    parser.add_argument("--age", type=int, help="of a newcomer")
    parser.add_argument(
        "--prefecture", help="of a newcomer: key or name, as tokyo, Tokyo or 도쿄도"
    )
    parser.add_argument(
        "--cutoff",
        type=cli.date,
        help="Sunday whose target week is recommended for (default: the latest)",
    )
    options = parser.parse_args(arguments)
    described = (options.sex, options.age, options.prefecture)
    if options.user and any(value is not None for value in described):
        parser.error("--user knows sex, age and prefecture: give one or the other")
    if not options.user and None in (options.sex, options.age):
        parser.error("give --user, or --sex and --age of a newcomer")
    return cli.run(lambda: recommend(options))


def recommend(options: argparse.Namespace) -> None:
    """Print the list of one person.

    Raises
    ------
    WarehouseError
        The user is unknown, or no model may score the week.
    """
    with open_warehouse(read_only=True) as warehouse:
        cutoff = choose_cutoff(warehouse.cutoffs(), options.cutoff).date
        if options.user:
            answer = _of_user(warehouse, options.user, cutoff)
        else:
            answer = _of_newcomer(warehouse, options, cutoff)
        rows = _described(warehouse, answer)
    print(f"week from {cutoff}, by {answer.source}")
    print("\n".join(aligned([HEAD, *rows])))


def _of_user(warehouse: Warehouse, user_hash: str, cutoff: dt.date) -> Answer:
    found = warehouse.rows(
        "select users.user_id, users.registered_at < cutoffs.cutoff_at "
        "from core.dim_users as users, features.cutoffs as cutoffs "
        "where users.user_hash = ? and cutoffs.cutoff_date = ?",
        [user_hash, cutoff],
    )
    if not found:
        raise WarehouseError(
            f"no user of user_list has the hash {user_hash}: for somebody new give "
            "--sex, --age and --prefecture."
        )
    ((user_id, is_candidate),) = found
    if not is_candidate:
        raise WarehouseError(
            f"user {user_hash} registered after {cutoff}: choose a later --cutoff, or "
            "give --sex, --age and --prefecture as of somebody new."
        )
    return published(warehouse, user_id, cutoff) or LoadedModel(
        warehouse, cutoff
    ).answer(warehouse, user_id)


def _of_newcomer(
    warehouse: Warehouse, options: argparse.Namespace, cutoff: dt.date
) -> Answer:
    prefecture = _prefecture(warehouse, options.prefecture)
    newcomer = nearest_newcomer(
        warehouse, cutoff, SEX[options.sex], options.age, prefecture
    )
    if newcomer is None:
        raise WarehouseError(
            f"no user like that is registered before {cutoff}: leave --prefecture out."
        )
    if newcomer.age != options.age:
        print(
            f"nobody of {options.age} like that is registered: answered as for "
            f"{newcomer.age}",
            file=sys.stderr,
        )
    return LoadedModel(warehouse, cutoff).answer(warehouse, newcomer.user_id, NEWCOMERS)


def _prefecture(warehouse: Warehouse, text: str | None) -> str | None:
    if text is None:
        return None
    found = warehouse.rows(
        "select prefecture from seeds.prefectures where lower(?) in (prefecture, "
        "lower(prefecture_en), prefecture_ko, prefecture_ja)",
        [text],
    )
    if not found:
        names = warehouse.rows("select prefecture from seeds.prefectures order by all")
        raise WarehouseError(
            f"{text} is no prefecture; there are "
            f"{', '.join(name for (name,) in names)}."
        )
    return found[0][0]


def _described(warehouse: Warehouse, answer: Answer) -> list[list[str]]:
    about = {
        coupon_hash: words
        for coupon_hash, *words in warehouse.rows(
            "select coupon_hash, genre_en, capsule_en, discount_price_yen, "
            "discount_rate_percent, prefecture_en from core.dim_coupons "
            "where list_contains(?, coupon_hash)",
            [[each.coupon_hash for each in answer.recommended]],
        )
    }
    rows = []
    for each in answer.recommended:
        genre, capsule, price, discount, place = about[each.coupon_hash]
        kind = genre if genre == capsule else f"{genre}: {capsule}"
        rows.append(
            [
                str(each.rank),
                f"{each.score:.4f}",
                f"{kind} ({each.coupon_hash})",
                f"{price:,} yen, -{discount} %",
                place or "anywhere",
                each.reasons or "nothing stands out",
            ]
        )
    return rows


if __name__ == "__main__":
    sys.exit(main())
