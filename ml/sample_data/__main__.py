"""Command line of the sample data generator."""

from __future__ import annotations

import argparse
import sys
import time
from datetime import date
from pathlib import Path

from ml.sample_data.world import (
    FIRST_DRIFT,
    LAST_DRIFT,
    Request,
    SampleDataError,
    generate,
)

_EXAMPLE = """\
example:
  python -m ml.sample_data --users 2000 --seed 7 --out data/sample

The files have the names, headers and formats of the competition's files. They are
synthetic: docs/sample-data.md says how they are made. 22873 users is the real size.
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ml.sample_data",
        description="Write a synthetic sample of the coupon data.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--users", type=int, default=2000, help="number of users (default 2000)"
    )
    parser.add_argument(
        "--seed", type=int, default=7, help="seed of the world (default 7)"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="directory to write, made if absent"
    )
    parser.add_argument(
        "--drift",
        metavar="DATE",
        help="let tastes, prices and what new users tell change from the week of this "
        "day on (YYYY-MM-DD)",
    )
    parser.add_argument(
        "--steady",
        action="store_true",
        help="let all weeks of the year be alike: no seasons, promotions or peaks",
    )
    parser.add_argument(
        "--force", action="store_true", help="write even if the same sample is there"
    )
    return parser


def _drift(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise SampleDataError("--drift must be a date like 2012-03-04.") from error
    if not FIRST_DRIFT <= day <= LAST_DRIFT:
        raise SampleDataError(
            f"--drift must lie between {FIRST_DRIFT} and {LAST_DRIFT}."
        )
    return day


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = _parser().parse_args(arguments)
    began = time.monotonic()
    try:
        if options.users < 1:
            raise SampleDataError("--users must be 1 or more.")
        if options.seed < 0:
            raise SampleDataError("--seed must be 0 or more.")
        request = Request(
            options.users,
            options.seed,
            options.out.absolute(),
            _drift(options.drift),
            options.steady,
        )
        written = generate(request, force=options.force)
    except SampleDataError as error:
        print(f"sample_data: {error}", file=sys.stderr)
        return 1
    if written:
        seconds = time.monotonic() - began
        print(
            f"{options.out}: synthetic sample of {options.users:,} users, seed "
            f"{options.seed}, in {seconds:.1f} s"
        )
    else:
        print(f"{options.out}: already holds this sample (--force to write again)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
