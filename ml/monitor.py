"""Say what is out of the ordinary at a cutoff: the alarms of reporting.alarms.

Ends with 0 if there is no alarm, with 3 if there are some, with 1 if it cannot say.
Limits stand in seeds/monitor_thresholds.csv; `dbt build` measures the figures.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from ml import cli
from ml.markdown import aligned
from ml.warehouse import Warehouse, WarehouseError, open_warehouse

EXAMPLE = "example: python -m ml.monitor --cutoff 2012-06-17"

#: Exit code of a run that found alarms.
ALARMED = 3


@dataclass(frozen=True)
class Alarm:
    """One row of reporting.alarms."""

    alarm: str
    subject: str
    since: dt.date
    figure: float
    low_limit: float | None
    high_limit: float | None
    what_to_do: str

    @property
    def limit(self) -> str:
        """The limit that the figure has passed, in words."""
        if self.high_limit is not None and self.figure > self.high_limit:
            return f"above {self.high_limit:g}"
        return f"below {self.low_limit:g}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("monitor", __doc__, EXAMPLE)
    parser.add_argument(
        "--cutoff",
        type=cli.date,
        help="Sunday that is looked at (default: the latest in use)",
    )
    options = parser.parse_args(arguments)
    found: list[Alarm] = []
    code = cli.run(lambda: found.extend(_run(options)))
    return ALARMED if code == 0 and found else code


def _run(options: argparse.Namespace) -> list[Alarm]:
    with open_warehouse(read_only=True) as warehouse:
        _check_is_watched(warehouse)
        cutoff = _cutoff(warehouse, options.cutoff)
        alarms = alarms_of(warehouse, cutoff)
    if not alarms:
        print(f"no alarms at {cutoff}")
        return alarms
    print(f"{len(alarms)} alarms at {cutoff} (reporting.alarms)")
    shown = [("alarm", "subject", "figure", "limit", "since")] + [
        (a.alarm, a.subject, f"{a.figure:.3g}", a.limit, str(a.since)) for a in alarms
    ]
    print("\n".join(aligned(shown)))
    print("what to do")
    for name, what_to_do in {a.alarm: a.what_to_do for a in alarms}.items():
        print(f"  {name}: {what_to_do}")
    return alarms


def _check_is_watched(warehouse: Warehouse) -> None:
    warehouse.data_fingerprint()  # refuses a build that did not finish
    found = warehouse.rows(
        "select count(*) from information_schema.tables "
        "where table_schema = 'reporting' and table_name = 'alarms'"
    )
    if found != [(1,)]:
        raise WarehouseError("reporting.alarms is not there yet: run `dbt build`.")


def _cutoff(warehouse: Warehouse, asked: dt.date | None) -> dt.date:
    in_use = [cutoff.date for cutoff in warehouse.cutoffs()]
    if not in_use:
        raise cli.CommandError("there is no cutoff in use: no coupon is ever released.")
    if asked is not None and asked not in in_use:
        raise cli.CommandError(
            f"{asked} is no cutoff in use: they are the Sundays from {in_use[0]} to "
            f"{in_use[-1]}."
        )
    return asked or in_use[-1]


def alarms_of(warehouse: Warehouse, cutoff: dt.date) -> list[Alarm]:
    """Return the alarms of a cutoff, those of one kind together, by subject."""
    return [
        Alarm(*row)
        for row in warehouse.rows(
            "select alarm, subject, since_date, figure, low_limit, high_limit, "
            "what_to_do from reporting.alarms where cutoff_date = ? "
            "order by alarm, subject",
            [cutoff],
        )
    ]


if __name__ == "__main__":
    sys.exit(main())
