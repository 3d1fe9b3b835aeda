"""What the command-line verbs share."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import sys
from collections.abc import Callable
from pathlib import Path

from ml import machine, settings
from ml.models import LEFT_OUT
from ml.raw_files import RawFileError
from ml.registry import ModelFileError
from ml.warehouse import DUCKDB, TARGETS, WarehouseError


class CommandError(Exception):
    """A command that cannot do what was asked; the message says what to do."""


#: Errors that the user can mend: shown as one sentence, without a traceback.
EXPECTED = (CommandError, WarehouseError, RawFileError, ModelFileError)


def parser(verb: str, description: str | None, example: str) -> argparse.ArgumentParser:
    """Return the parser of a verb; its help ends with an example."""
    return argparse.ArgumentParser(
        prog=f"python -m ml.{verb}",
        description=description,
        epilog=example,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_seed(parser: argparse.ArgumentParser) -> None:
    """Add the option --seed of verbs that fit models."""
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of all draws (default: %(default)s)"
    )


def add_target(parser: argparse.ArgumentParser) -> None:
    """Add the option --target of verbs that work on every engine."""
    parser.add_argument(
        "--target",
        choices=TARGETS,
        default=DUCKDB,
        help="where the warehouse is (default: %(default)s); spark: docs/spark.md",
    )


def date(text: str) -> dt.date:
    """Parse an ISO date for argparse."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a date like 2012-06-10"
        ) from error


def model_name(text: str) -> str:
    """Pass a model's name on to argparse, unless an optional extra is missing."""
    if text in LEFT_OUT:
        raise argparse.ArgumentTypeError(LEFT_OUT[text])
    return text


def check_writable(path: Path | None, option: str = "--write") -> None:
    """Raise CommandError unless the file that an option names has a directory."""
    if path is not None and not path.parent.is_dir():
        raise CommandError(f"{option}: {path.parent} is no directory.")


def run(verb: Callable[[], object]) -> int:
    """Run a verb from the project's directory; return the exit code."""
    os.chdir(settings.PROJECT_DIR)
    try:
        verb()
    except EXPECTED as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        sentence = machine.refusal(error)
        if sentence is None:
            raise
        print(f"error: {sentence}", file=sys.stderr)
        return 1
    return 0
