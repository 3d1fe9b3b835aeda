"""What benchmarks have measured, as a table of long form: docs/benchmarks.csv."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from ml.bench_page import BUILD, Machine, SizeResult
from ml.cli import CommandError
from ml.files import write_whole

SECONDS, PEAK, STORED, BILLED = "seconds", "peak_mb", "stored_mb", "billed_gib"
BIGQUERY = "bigquery"


@dataclass(frozen=True)
class Measured:
    """One figure.

    Attributes
    ----------
    engine
        ``duckdb``, ``spark``, or ``bigquery``, of which only bytes are estimated.
    users, events
        Size of the sample: its users, their purchases and page views.
    step
        What was run, as the page calls it.
    quantity
        ``seconds``; ``peak_mb``, the peak of memory (on DuckDB of the largest
        process, on Spark of all added up), and ``stored_mb``, what the tables take on
        disk after the build, in MB (10^6 bytes); ``billed_gib``, GiB (2^30 bytes).
    cores, memory_gb
        Of the machine, GB (10^9 bytes).
    version, date
        Version of the project that was measured, and when.
    """

    engine: str
    users: int
    events: int
    step: str
    quantity: str
    value: float
    cores: int
    memory_gb: int
    version: str
    date: str


COLUMNS = tuple(field.name for field in fields(Measured))
INTEGERS = ("users", "events", "cores", "memory_gb")


def figures(
    engine: str, machine: Machine, results: Sequence[SizeResult]
) -> list[Measured]:
    """Return the figures of measured sizes."""
    found = []
    for result in results:
        of = [(engine, BUILD, STORED, result.warehouse_mb)]
        for step, cost in result.costs.items():
            of.append((engine, step, SECONDS, cost.seconds))
            of.append((engine, step, PEAK, cost.peak_memory_mb))
        if result.billed_gib is not None:
            of.append((BIGQUERY, BUILD, BILLED, result.billed_gib))
        size = (result.users, result.n_events)
        where = (machine.cores, round(machine.memory_gb))
        when = (machine.code_version, str(machine.date))
        found += [
            Measured(name, *size, step, quantity, value, *where, *when)
            for name, step, quantity, value in of
        ]
    return found


def read(path: Path) -> list[Measured]:
    """Return the figures of a file.

    Raises
    ------
    CommandError
        The file is not there, or a line of it is none of these.
    """
    if not path.is_file():
        raise CommandError(f"{path} is not there: write it by `ml.bench --record`.")
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise CommandError(
                f"{path}, line 1: the columns must be {', '.join(COLUMNS)}."
            )
        found = []
        for row in reader:
            try:
                if None in row or None in row.values():
                    raise ValueError("a field is missing or too many are there")
                row |= {name: int(row[name]) for name in INTEGERS}
                found.append(Measured(**row | {"value": float(row["value"])}))
                if not 0 < found[-1].value < math.inf:
                    raise ValueError(f"value {row['value']} is no number above 0")
            except ValueError as error:
                raise CommandError(
                    f"{path}, line {reader.line_num}: {error}: mend or remove it."
                ) from error
    return found


def add(path: Path, new: Iterable[Measured]) -> None:
    """Write figures to a file, in place of those of the same engine, size and step."""
    new = list(new)
    replaced = {(figure.engine, figure.users, figure.step) for figure in new}
    kept = [
        figure
        for figure in (read(path) if path.is_file() else [])
        if (figure.engine, figure.users, figure.step) not in replaced
    ]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for figure in sorted([*kept, *new], key=lambda f: (f.engine, f.users)):
        writer.writerow(
            f"{value:.6g}" if isinstance(value, float) else value
            for value in astuple(figure)
        )
    write_whole(path, text.getvalue())
