"""Seconds, bytes and money of an engine's builds as curves over the events."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ml.bench_record import BIGQUERY, BILLED, BUILD, SECONDS, STORED, Measured
from ml.cli import CommandError
from ml.warehouse import DUCKDB, SPARK

#: What measures an engine once more.
MEASURED_BY = {DUCKDB: "make bench", SPARK: "make bench-spark", BIGQUERY: "make bench"}


@dataclass(frozen=True)
class Curve:
    """A quantity at the sizes measured, in straight lines between and beyond them.

    Attributes
    ----------
    users, events
        The sizes, ascending.
    values
        What was measured at each; ascending as well.
    """

    users: tuple[int, ...]
    events: tuple[int, ...]
    values: tuple[float, ...]

    @property
    def fixed(self) -> float:
        """What is there without events: the first line made shorter, at least 0."""
        return max(0.0, self.values[0] - self._slope(0) * self.events[0])

    @property
    def per_million(self) -> float:
        """What a million events more take beyond the largest size."""
        return self._slope(-2) * 1e6

    def at(self, events: float, machines: int = 1) -> float:
        """Return the value at so many events, what is not fixed shared out."""
        if events <= self.events[0]:
            share = events / self.events[0]
            value = self.fixed + share * (self.values[0] - self.fixed)
        elif events >= self.events[-1]:
            value = self.values[-1] + self._slope(-2) * (events - self.events[-1])
        else:
            value = float(np.interp(events, self.events, self.values))
        return self.fixed + (value - self.fixed) / machines

    def events_within(self, value: float, machines: int = 1) -> float:
        """Return the most events at which the value is not exceeded."""
        alone = self.fixed + (value - self.fixed) * machines
        if alone >= self.values[-1]:
            return self.events[-1] + (alone - self.values[-1]) / self._slope(-2)
        known = ((0, *self.events), (self.fixed, *self.values))
        return float(np.interp(alone, known[1], known[0]))

    def machines_for(self, events: float, value: float) -> int | None:
        """Return how many machines keep the value so low; None if no number does."""
        if value <= self.fixed:
            return None
        shared = self.at(events) - self.fixed
        # a share that fits exactly is not made another machine by the last bit
        return max(1, math.ceil(shared / (value - self.fixed) - 1e-9))

    def _slope(self, start: int) -> float:
        """Return the slope of the line from a size on: 0 the first, -2 the last."""
        rise = self.values[start + 1] - self.values[start]
        return rise / (self.events[start + 1] - self.events[start])


@dataclass(frozen=True)
class Curves:
    """Builds on all engines, and the machine that they were measured on.

    Attributes
    ----------
    duckdb, spark
        Seconds.
    stored_mb
        The warehouse on DuckDB, MB (10^6 bytes).
    billed_gib
        What BigQuery would bill at most, GiB (2^30 bytes): an estimate.
    cores, memory_gb
        Of the machine.
    """

    duckdb: Curve
    stored_mb: Curve
    spark: Curve
    billed_gib: Curve
    cores: int
    memory_gb: int

    @property
    def events_per_user(self) -> float:
        """Events of a user in the largest sample."""
        return self.duckdb.events[-1] / self.duckdb.users[-1]


def curves_of(figures: Sequence[Measured]) -> Curves:
    """Return the curves through what was measured.

    Raises
    ------
    CommandError
        An engine was measured at fewer than two sizes, a larger size took less, or
        not all was measured on machines of one kind.
    """
    machines = {(figure.cores, figure.memory_gb) for figure in figures}
    if len(machines) > 1:
        raise CommandError(
            f"the record is of machines with {sorted(machines)} cores and GB, which "
            "cannot be compared: measure all engines on one (`make bench bench-spark`)."
        )
    curves = [
        curve_through(figures, DUCKDB, SECONDS),
        curve_through(figures, DUCKDB, STORED),
        curve_through(figures, SPARK, SECONDS),
        curve_through(figures, BIGQUERY, BILLED),
    ]
    return Curves(*curves, *machines.pop())


def curve_through(figures: Sequence[Measured], engine: str, quantity: str) -> Curve:
    """Return the curve of builds through the sizes measured.

    Raises
    ------
    CommandError
        The quantity was measured at fewer than two sizes, or a larger one took less.
    """
    found = sorted(
        (figure.users, figure.events, figure.value)
        for figure in figures
        if (figure.engine, figure.step, figure.quantity) == (engine, BUILD, quantity)
    )
    if len(found) < 2:
        raise CommandError(
            f"the record has {quantity} of {engine} at fewer than two sizes: measure "
            f"more with `{MEASURED_BY[engine]}`."
        )
    for smaller, larger in pairwise(found):
        if not all(a < b for a, b in zip(smaller, larger, strict=True)):
            raise CommandError(
                f"{quantity} of {engine} does not grow from {smaller[0]:,} to "
                f"{larger[0]:,} users: measure them again with "
                f"`{MEASURED_BY[engine]}`."
            )
    return Curve(*zip(*found, strict=True))
