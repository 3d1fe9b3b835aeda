"""The page of ml.engine_costs: curves, sizes, and where another engine pays."""

from __future__ import annotations

from dataclasses import dataclass

from ml.bench_page import REAL_USERS
from ml.cost_curves import Curve, Curves
from ml.markdown import table

MULTIPLES = (1, 10, 100, 1000)
HOUR = 3600
GIB_PER_TIB = 1024


@dataclass(frozen=True)
class Assumptions:
    """What is not measured.

    Attributes
    ----------
    hours
        In which a build must be done.
    machine_price
        Of one machine like the one that measured, US dollars an hour.
    largest_machine
        The largest single machine to be had, in multiples of that one.
    tib_price
        What BigQuery bills for a TiB read, US dollars.
    """

    hours: float
    machine_price: float
    largest_machine: int
    tib_price: float

    @property
    def window(self) -> float:
        """Seconds in which a build must be done."""
        return self.hours * HOUR


@dataclass(frozen=True)
class Offer:
    """A build of one size that is done in time.

    Attributes
    ----------
    machines
        How many times the machine that measured; None if no number is enough.
    dollars
        What the build costs; None if it cannot be done in time.
    """

    machines: int | None
    dollars: float | None


def offer(curve: Curve, events: float, assumed: Assumptions, most: int | None) -> Offer:
    """Return what machines are needed on an engine, at most so many, and their price.

    Each of them waits for what is fixed.
    """
    machines = curve.machines_for(events, assumed.window)
    if machines is None or (most is not None and machines > most):
        return Offer(None, None)
    seconds = curve.at(events, machines)
    return Offer(machines, machines * seconds / HOUR * assumed.machine_price)


def markdown(curves: Curves, assumed: Assumptions) -> str:
    """Return the page."""
    return "\n".join(
        [
            "# What another engine would cost",
            "",
            f"Written by `{_command(assumed)}` from "
            "[benchmarks.csv](benchmarks.csv). A build is `dbt build` with all data "
            "tests, on DuckDB with the unit tests too. Between the sizes measured the "
            "figures lie on straight lines; beyond the largest one the last line is "
            "made longer, which is a guess.",
            *("", "## Measured", ""),
            *_measured(curves),
            *("", "## Assumed", ""),
            *_assumed(curves, assumed),
            *("", "## A build in time", ""),
            *_sizes(curves, assumed),
            *("", "## From which size on", ""),
            *_verdict(curves, assumed),
            "",
        ]
    )


def _command(assumed: Assumptions) -> str:
    """Return the command that writes the page again."""
    return (
        f"python -m ml.engine_costs --hours {assumed.hours:g} "
        f"--machine-price {assumed.machine_price:g} "
        f"--largest-machine {assumed.largest_machine} "
        f"--tib-price {assumed.tib_price:g}"
    )


def _measured(curves: Curves) -> list[str]:
    head = ("what", "at users", "value", "fixed", "a million events more")
    cells = [
        (
            what,
            "; ".join(f"{users:,}" for users in curve.users),
            "; ".join(f"{value:,.0f}" for value in curve.values),
            f"{curve.fixed:,.0f}",
            f"{curve.per_million:,.0f}",
        )
        for what, curve in (
            ("DuckDB, a build, s", curves.duckdb),
            ("DuckDB, the warehouse, MB", curves.stored_mb),
            ("Spark, a build, s", curves.spark),
            ("BigQuery, estimated to be billed at most, GiB", curves.billed_gib),
        )
    ]
    return [
        *table(head, cells),
        "",
        f"On one machine of {curves.cores} cores and {curves.memory_gb} GB, of which "
        "DuckDB may take 3 GB and goes to the disk beyond, Spark's Java 3 GB of heap "
        "and what it needs besides. `fixed` is where the first line begins, `a million "
        "events more` what the last one rises by.",
    ]


def _assumed(curves: Curves, assumed: Assumptions) -> list[str]:
    return [
        f"- A build must be done within {assumed.hours:g} h.",
        f"- A machine like the one that measured costs {assumed.machine_price:g} US "
        "dollars an hour, which is a round number: look up yours. The largest is "
        f"{assumed.largest_machine} times as large and dear, and builds as many times "
        "faster, apart from what is fixed. That was not measured, and flatters it.",
        "- Spark on several machines is flattered alike: it takes the seconds that are "
        "not fixed divided by the machines, and nothing for what the network carries.",
        f"- BigQuery bills {assumed.tib_price:g} US dollars a TiB, for all columns of "
        "all tables that a query names, which is more than it really bills. How long "
        "it takes is not known here.",
        "- Storage costs nothing.",
        f"- DuckDB was measured up to {_events(curves.duckdb.events[-1], curves)}, "
        f"Spark up to {_events(curves.spark.events[-1], curves)}.",
    ]


def _sizes(curves: Curves, assumed: Assumptions) -> list[str]:
    head = (
        *("users", "million events", "DuckDB h", "disk GB", "machine x", "USD"),
        *("Spark h", "machines", "USD", "BigQuery USD"),
    )
    rows = []
    for multiple in MULTIPLES:
        events = multiple * _competition(curves)
        one = offer(curves.duckdb, events, assumed, assumed.largest_machine)
        many = offer(curves.spark, events, assumed, None)
        rows.append(
            (
                f"{multiple * REAL_USERS:,}",
                f"{events / 1e6:,.1f}",
                f"{curves.duckdb.at(events) / HOUR:,.2f}",
                f"{curves.stored_mb.at(events) / 1e3:,.0f}",
                *_cells(one),
                f"{curves.spark.at(events) / HOUR:,.2f}",
                *_cells(many),
                f"{_bigquery_dollars(curves, events, assumed):,.2f}",
            )
        )
    return [
        *table(head, rows),
        "",
        "`h`: hours on the machine that measured. `machine x`: how many times as large "
        "a machine DuckDB needs to be done in time, `machines`: how many like it Spark "
        "needs; `-` where it cannot be. `USD`: that build. `disk`: the warehouse; a "
        "build needs room besides for what does not fit into memory.",
    ]


def _verdict(curves: Curves, assumed: Assumptions) -> list[str]:
    alone = curves.duckdb.events_within(assumed.window)
    largest = curves.duckdb.events_within(assumed.window, assumed.largest_machine)
    biggest = offer(curves.duckdb, largest, assumed, assumed.largest_machine)
    cluster = offer(curves.spark, largest, assumed, None)
    bill = _bigquery_dollars(curves, largest, assumed)
    if cluster.machines is None:
        beyond = (
            "Beyond that there is no single machine, and what is fixed on Spark alone "
            f"takes longer than {assumed.hours:g} h: BigQuery is left, "
            f"at {bill:,.0f} dollars a build at most."
        )
    else:
        cheaper = "Spark" if cluster.dollars < bill else "BigQuery"
        beyond = (
            "**Beyond that another engine pays**, for there is no single machine: "
            f"Spark on {cluster.machines:,} machines like this one for "
            f"{cluster.dollars:,.0f} dollars a build, or BigQuery for {bill:,.0f} at "
            f"most; {cheaper} is the cheaper one."
        )
    ratio = curves.spark.per_million / curves.duckdb.per_million
    return [
        f"- DuckDB on this machine builds {_events(alone, curves)} within "
        f"{assumed.hours:g} h, on the largest {_events(largest, curves)} for "
        f"{biggest.dollars:,.0f} dollars. {beyond}",
        f"- Up to there DuckDB is to be compared in money. Spark needs {ratio:.1f} "
        "times its seconds for an event more. BigQuery costs less than DuckDB "
        f"{_cheaper_at(curves, assumed)}.",
    ]


def _cheaper_at(curves: Curves, assumed: Assumptions) -> str:
    """Return at which of the sizes of the table BigQuery costs less than DuckDB."""
    found = []
    for multiple in MULTIPLES:
        events = multiple * _competition(curves)
        one = offer(curves.duckdb, events, assumed, assumed.largest_machine)
        bill = _bigquery_dollars(curves, events, assumed)
        if one.dollars is not None and bill < one.dollars:
            found.append(f"{multiple * REAL_USERS:,}")
    if not found:
        return "at none of these sizes that one machine can build"
    return f"with {' and '.join(found)} users"


def _bigquery_dollars(curves: Curves, events: float, assumed: Assumptions) -> float:
    return curves.billed_gib.at(events) / GIB_PER_TIB * assumed.tib_price


def _cells(found: Offer) -> tuple[str, str]:
    if found.machines is None or found.dollars is None:
        return "-", "-"
    return f"{found.machines:,}", f"{found.dollars:,.2f}"


def _competition(curves: Curves) -> float:
    """Return the events of as many users as the competition's files have."""
    return REAL_USERS * curves.events_per_user


def _events(events: float, curves: Curves) -> str:
    times = events / _competition(curves)
    digits = 0 if times >= 10 else 2
    return (
        f"{events / 1e6:,.{digits}f} million events ({times:,.{digits}f} times the "
        "competition's)"
    )
