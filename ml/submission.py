"""Write the competition's submission file from the published scores.

Every user of sample_submission (or of user_list, if there is none) stands in the file
once, with at most ten coupons of the test list. Users without scores of their own, who
registered after the cutoff, get the coupons that rank best for users who have not
bought anything yet.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from ml import cli, raw_files, settings
from ml.files import written_whole
from ml.warehouse import Warehouse, open_warehouse

EXAMPLE = "example: python -m ml.submission --out artifacts/submission.csv"
HEADER = ("USER_ID_hash", "PURCHASED_COUPONS")
TOP_K = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("submission", __doc__, EXAMPLE)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("artifacts/submission.csv"),
        help="file to write (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    return cli.run(lambda: write_submission(options.out))


def write_submission(out: Path) -> int:
    """Write the file and return the number of users in it.

    Raises
    ------
    cli.CommandError
        The test week has no scores on the current data.
    """
    with open_warehouse(read_only=True) as warehouse:
        users = _users(warehouse)
        lists, fallback = _lists(warehouse)
    write_lists(out, ((user, lists.get(user, fallback)) for user in users))
    n_own = sum(user in lists for user in users)
    print(
        f"{out}: {len(users):,} users, {n_own:,} with a list of their own, "
        f"{len(users) - n_own:,} with the list for new users"
    )
    return len(users)


def write_lists(out: Path, lists: Iterable[tuple[str, str]]) -> None:
    """Write users with their lists, whole or not at all.

    Ids stand in the file as they are, whatever a spreadsheet might take them for: it is
    read by a machine.
    """
    with written_whole(out) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(lists)


def _users(warehouse: Warehouse) -> list[str]:
    """Return the users in the order of sample_submission, else of user_list."""
    path = raw_files.find_file(
        settings.data_dir(), settings.cache_dir(), "sample_submission"
    )
    if path is None:
        rows = warehouse.rows("select user_hash from core.dim_users order by user_hash")
        return [row[0] for row in rows]
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _read_users(path, csv.DictReader(file, restval=""))
    except UnicodeDecodeError as error:
        raise raw_files.wrong_encoding(path, path) from error
    except csv.Error as error:
        raise cli.CommandError(
            f"{path} cannot be read as CSV ({error}): use the file as the competition "
            "gives it."
        ) from error


def _read_users(path: Path, rows: csv.DictReader) -> list[str]:
    """Return the users of sample_submission, each once."""
    if HEADER[0] not in (rows.fieldnames or []):
        raise cli.CommandError(
            f"{path}, line 1: column {HEADER[0]} is missing; use the file as the "
            "competition gives it."
        )
    users = dict.fromkeys(row[HEADER[0]] for row in rows)
    if "" in users:
        raise cli.CommandError(
            f"{path}: a row has no {HEADER[0]}; use the file as the competition gives "
            "it."
        )
    return list(users)


def _lists(warehouse: Warehouse) -> tuple[dict[str, str], str]:
    """Return the list of each scored user and the one for everybody else."""
    ((cutoff,),) = warehouse.rows(
        "select max(release_week_date) from core.dim_coupons where is_test_list"
    )
    if cutoff is None:
        raise cli.CommandError(
            f"{settings.data_dir()} holds no coupon_list_test.csv: there is nothing "
            "to submit."
        )
    query = """
        select
            recommendations.user_hash,
            string_agg(recommendations.coupon_hash, ' ' order by recommendations.rank)
                as coupons
        from reporting.recommendations as recommendations
        inner join core.dim_coupons as coupons using (coupon_hash)
        where recommendations.cutoff_date = ? and coupons.is_test_list
        group by recommendations.user_hash
    """
    lists = dict(warehouse.rows(query, [cutoff]))
    if not lists:
        raise cli.CommandError(
            f"the test week from {cutoff} has no scores on the current data: run "
            f"`python -m ml.train --cutoff {cutoff}` first."
        )
    query = """
        select scores.coupon_hash
        from ml.purchase_scores as scores
        inner join core.dim_users as users using (user_hash)
        inner join core.dim_coupons as coupons using (coupon_hash)
        inner join features.feature_users as features
            on features.cutoff_date = scores.cutoff_date
            and features.user_id = users.user_id
        where scores.cutoff_date = ? and coupons.is_test_list
        group by scores.coupon_hash
        order by
            avg(scores.score) filter (where features.n_user_purchases = 0)
                desc nulls last,
            avg(scores.score) desc,
            scores.coupon_hash
        limit ?
    """
    fallback = " ".join(row[0] for row in warehouse.rows(query, [cutoff, TOP_K]))
    return lists, fallback


if __name__ == "__main__":
    sys.exit(main())
