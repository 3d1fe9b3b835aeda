"""Seconds, bytes and money of an engine's builds as straight lines over events."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ml.bench_record import BILLED, BUILD, SECONDS, STORED, Measured
from ml.cli import CommandError
from ml.warehouse import DUCKDB, SPARK

BIGQUERY = "bigquery"


@dataclass(frozen=True)
class Line:
    """A quantity as a straight line over events: fixed, and per million of them.

    Attributes
    ----------
    users
        The sizes that the line was laid through.
    misfit
        Largest distance from a measured value, as a share of it.
    """

    fixed: float
    per_million: float
    users: tuple[int, ...]
    misfit: float

    def at(self, events: float, machines: int = 1) -> float:
        """Return the value at so many events, what grows with them shared out."""
        return self.fixed + self.per_million * events / 1e6 / machines

    def events_within(self, value: float, machines: int = 1) -> float:
        """Return the most events at which the value is not exceeded."""
        return max(0.0, value - self.fixed) / self.per_million * 1e6 * machines

    def machines_for(self, events: float, value: float) -> int | None:
        """Return how many machines keep the value so low; None if no number does."""
        if value <= self.fixed:
            return None
        shared = self.per_million * events / 1e6
        # a share that fits exactly is not made another machine by the last bit
        return max(1, math.ceil(shared / (value - self.fixed) - 1e-9))

    def times(self, factor: float) -> Line:
        """Return the line in another unit."""
        return replace(
            self, fixed=self.fixed * factor, per_million=self.per_million * factor
        )


@dataclass(frozen=True)
class Lines:
    """The lines of all engines, and how many events the competition's users make."""

    duckdb: Line
    stored_mb: Line
    spark: Line
    billed_gib: Line
    events_per_user: float


def lines_of(figures: Sequence[Measured]) -> Lines:
    """Return the lines through what was measured.

    Raises
    ------
    CommandError
        An engine was measured at fewer than two sizes.
    """
    duckdb = [f for f in figures if f.engine == DUCKDB]
    largest = max(duckdb, key=lambda figure: figure.users, default=None)
    return Lines(
        duckdb=line_through(figures, DUCKDB, SECONDS),
        stored_mb=line_through(figures, DUCKDB, STORED),
        spark=line_through(figures, SPARK, SECONDS),
        billed_gib=line_through(figures, BIGQUERY, BILLED),
        events_per_user=largest.events / largest.users,
    )


def line_through(figures: Sequence[Measured], engine: str, quantity: str) -> Line:
    """Return the line from which measured builds lie least far, in shares of them.

    Nothing is fixed below 0: there the line starts at 0.

    Raises
    ------
    CommandError
        The quantity was measured at fewer than two sizes.
    """
    found = sorted(
        (figure.users, figure.events, figure.value)
        for figure in figures
        if (figure.engine, figure.step, figure.quantity) == (engine, BUILD, quantity)
    )
    if len(found) < 2:
        raise CommandError(
            f"the record has {quantity} of {engine} at {len(found)} sizes, and a line "
            "needs two: measure more with `ml.bench --record`."
        )
    users, events, values = (
        np.array(column, float) for column in zip(*found, strict=True)
    )
    # shares, so that the largest size does not decide alone
    terms = np.column_stack([1 / values, events / 1e6 / values])
    (fixed, slope), *_ = np.linalg.lstsq(terms, np.ones(len(found)), rcond=None)
    if fixed < 0:
        fixed = 0.0
        slope = terms[:, 1].sum() / (terms[:, 1] ** 2).sum()
    estimated = fixed + slope * events / 1e6
    misfit = float(np.abs(estimated / values - 1).max())
    return Line(float(fixed), float(slope), tuple(map(int, users)), misfit)


def crossing(one: Line, other: Line) -> float | None:
    """Return the events from which one line is below the other; None if it never is."""
    gained = other.per_million - one.per_million
    if gained <= 0:
        return None
    return max(0.0, (one.fixed - other.fixed) / gained * 1e6)
