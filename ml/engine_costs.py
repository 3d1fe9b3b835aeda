"""Say from which size of the data on another engine pays, as far as can be told.

Reads what `ml.bench --record` has measured and makes it longer beyond the largest size:
what a build would take and cost at 1, 10, 100 and 1,000 times the competition's users,
how large a machine DuckDB and how many Spark would need to be done in time, what
BigQuery would bill. Prices, and what cannot be measured here, are assumptions that the
page names.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from ml import cli, settings
from ml.bench_record import read
from ml.cost_curves import curves_of
from ml.engine_costs_page import HOUR, Assumptions, markdown
from ml.files import write_whole

EXAMPLE = "example: python -m ml.engine_costs --hours 2 --machine-price 0.12"
RECORD = settings.PROJECT_DIR / "docs" / "benchmarks.csv"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("engine_costs", __doc__, EXAMPLE)
    parser.add_argument(
        "--record",
        type=Path,
        default=RECORD,
        metavar="CSV",
        help="what was measured (default: docs/benchmarks.csv)",
    )
    for name, kind, default, words in (
        ("--hours", float, 1.0, "hours in which a build must be done"),
        ("--machine-price", float, 0.1, "US dollars an hour of a machine as measured"),
        ("--largest-machine", int, 32, "the largest machine, in multiples of that one"),
        ("--tib-price", float, 6.25, "US dollars for a TiB that BigQuery reads"),
    ):
        parser.add_argument(
            name, type=kind, default=default, help=f"{words} (default: %(default)s)"
        )
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="also write the page"
    )
    options = parser.parse_args(arguments)
    return cli.run(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    for name in ("hours", "machine_price", "largest_machine", "tib_price"):
        if not 0 < getattr(options, name) < math.inf:
            raise cli.CommandError(
                f"--{name.replace('_', '-')} must be a number above 0."
            )
    cli.check_writable(options.write)
    curves = curves_of(read(options.record))
    if options.hours * HOUR <= curves.duckdb.fixed:
        raise cli.CommandError(
            f"--hours must be more than the {curves.duckdb.fixed:,.0f} seconds that "
            "any build takes on DuckDB."
        )
    page = markdown(
        curves,
        Assumptions(
            options.hours,
            options.machine_price,
            options.largest_machine,
            options.tib_price,
        ),
    )
    if options.write is not None:
        write_whole(options.write, page)
    print(page, end="")


if __name__ == "__main__":
    sys.exit(main())
