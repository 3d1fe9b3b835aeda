"""Compare the reasons of recommendations with the numbers behind them.

Every reason of the latest scored week is looked up in ml.scoring_pairs, by SQL and not
by the code that wrote it. Prints an example of each of the most frequent reasons; ends
with 1 if any recommendation has a reason that is not true of it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from ml import cli
from ml.warehouse import Column, Warehouse, WarehouseError, open_warehouse

EXAMPLE = "example: python -m ml.check_reasons --show 40"


@dataclass(frozen=True)
class Checked:
    """A reason, how often it was given, and an example.

    Attributes
    ----------
    n_untrue
        Recommendations that it was given for although it is not true.
    test
        What is true where the reason is, for the example's feature.
    value
        The feature's value in the example; None if the reason is true nowhere.
    """

    reason: str
    n_given: int
    n_untrue: int
    feature: str
    test: str
    value: float | None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("check_reasons", __doc__, EXAMPLE)
    parser.add_argument(
        "--show",
        type=int,
        default=20,
        help="how many reasons are printed (default: %(default)s)",
    )
    return cli.run(lambda: _run(parser.parse_args(arguments)))


def _run(options: argparse.Namespace) -> None:
    with open_warehouse(read_only=True) as warehouse:
        checked = check_reasons(warehouse)
    print(f"{'given':>7} {'untrue':>7}  {'reason':<62}example")
    for row in checked[: options.show]:
        value = "-" if row.value is None else f"{row.value:.6g}"
        print(
            f"{row.n_given:>7,} {row.n_untrue:>7,}  {row.reason:<62}"
            f"{row.feature} = {value}, {row.test}"
        )
    n_untrue = sum(row.n_untrue for row in checked)
    print(
        f"{len(checked)} different reasons, given {sum(r.n_given for r in checked):,} "
        f"times, {n_untrue:,} times untrue"
    )
    if n_untrue:
        untrue = ", ".join(f"'{row.reason}'" for row in checked if row.n_untrue)
        raise cli.CommandError(
            f"reasons that are not true of their pair: {untrue}. If the marts were "
            "built anew since, run `python -m ml.train` again."
        )


def check_reasons(warehouse: Warehouse) -> list[Checked]:
    """Check every reason of the latest scored week, the most frequent ones first.

    Raises
    ------
    WarehouseError
        There are no recommendations with reasons.
    """
    latest = warehouse.rows(
        "select distinct cutoff_date, first_training_cutoff, last_training_cutoff "
        "from reporting.recommendations "
        "inner join ml.model_runs using (run_id, model_name, cutoff_date) "
        "qualify cutoff_date = max(cutoff_date) over ()"
    )
    if not latest:
        raise WarehouseError(
            "there are no recommendations on this data: run `python -m ml.train`."
        )
    ((cutoff, first, last),) = latest
    spoken = [
        column for column in warehouse.columns("scoring_pairs") if column.reason != ""
    ]
    _read_values(warehouse, cutoff, spoken)
    averages = warehouse.rows(
        f"select {', '.join(f'avg({_number(c.name)})' for c in spoken)} "
        "from ml.training_pairs where cutoff_date between ? and ?",
        [first, last],
    )[0]
    tests: dict[str, list[tuple[str, str]]] = {}
    for column, average in zip(spoken, averages, strict=True):
        limit = average if column.reason_limit is None else column.reason_limit
        if limit is not None:
            tests.setdefault(column.reason, []).append(
                (column.name, _test(column, limit))
            )
    given = warehouse.rows(
        "select reason, count(*) from given_reasons group by reason "
        "order by count(*) desc, reason"
    )
    return [
        _check(warehouse, reason, n_given, tests.get(reason, []))
        for reason, n_given in given
    ]


def _read_values(warehouse: Warehouse, cutoff: object, spoken: list[Column]) -> None:
    """Put the reasons and the numbers of their pairs into temporary tables."""
    warehouse.rows(
        "create temporary table given_reasons as "
        "select user_id, coupon_id, unnest(string_split(reasons, '; ')) as reason "
        "from reporting.recommendations "
        "inner join core.dim_users using (user_hash) "
        "inner join core.dim_coupons using (coupon_hash) where cutoff_date = ?",
        [cutoff],
    )
    needed = {column.reason_needs for column in spoken if column.reason_needs}
    names = sorted({column.name for column in spoken} | needed)
    numbers = ", ".join(f'{_number(name)} as "{name}"' for name in names)
    warehouse.rows(
        f"create temporary table pair_values as select user_id, coupon_id, {numbers} "
        "from ml.scoring_pairs where cutoff_date = ? and (user_id, coupon_id) in "
        "(select (user_id, coupon_id) from given_reasons)",
        [cutoff],
    )


def _number(name: str) -> str:
    return f'cast("{name}" as double)'


def _test(column: Column, limit: float) -> str:
    """Return the condition on which a feature's words are true."""
    side = "<" if column.reason_when == "low" else ">"
    test = f'"{column.name}" {side} {limit!r}'
    if column.reason_needs_at_most is not None:
        return f'{test} and "{column.reason_needs}" <= {column.reason_needs_at_most!r}'
    if column.reason_needs:
        return f'{test} and "{column.reason_needs}" is not null'
    return test


def _check(
    warehouse: Warehouse, reason: str, n_given: int, tests: list[tuple[str, str]]
) -> Checked:
    if not tests:
        return Checked(reason, n_given, n_given, "no feature", "no such words", None)
    found = (
        "from given_reasons inner join pair_values using (user_id, coupon_id) "
        "where reason = ?"
    )
    is_true = " or ".join(f"({test})" for _, test in tests)
    ((n_true,),) = warehouse.rows(f"select count(*) {found} and ({is_true})", [reason])
    for name, test in tests:
        example = warehouse.rows(
            f'select "{name}" {found} and {test} order by user_id, coupon_id limit 1',
            [reason],
        )
        if example:
            shown = test.replace('"', "")
            return Checked(
                reason, n_given, n_given - n_true, name, shown, example[0][0]
            )
    name, test = tests[0]
    return Checked(reason, n_given, n_given, name, test.replace('"', ""), None)


if __name__ == "__main__":
    sys.exit(main())
