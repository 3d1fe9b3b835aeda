"""The page of ml.engine_costs: lines, sizes, and where another engine pays."""

from __future__ import annotations

from dataclasses import dataclass

from ml.bench_page import REAL_USERS
from ml.cost_lines import Line, Lines, crossing
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


def markdown(lines: Lines, assumed: Assumptions) -> str:
    """Return the page."""
    return "\n".join(
        [
            "# What another engine would cost",
            "",
            f"Written by `{_command(assumed)}` from what `ml.bench --record` has "
            "measured (benchmarks.csv). A build is `dbt build` with all data tests, on "
            "DuckDB with the unit tests too. Beyond the sizes measured everything here "
            "is a straight line made longer.",
            *("", "## Lines", ""),
            *_lines(lines),
            *("", "## Assumptions", ""),
            *_assumptions(assumed),
            *("", "## A build", ""),
            *_sizes(lines, assumed),
            *("", "## From which size on", ""),
            *_verdict(lines, assumed),
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


def _lines(lines: Lines) -> list[str]:
    head = ("what", "unit", "sizes measured", "fixed", "per million events", "misfit")
    cells = [
        (
            *(what, unit, " ".join(f"{users:,}" for users in line.users)),
            *(f"{line.fixed:,.1f}", f"{line.per_million:,.1f}", f"{line.misfit:.0%}"),
        )
        for what, unit, line in (
            ("DuckDB, a build", "s", lines.duckdb),
            ("DuckDB, the warehouse on disk", "MB", lines.stored_mb),
            ("Spark on the same machine, a build", "s", lines.spark),
            ("BigQuery, billed at most for a build", "GiB", lines.billed_gib),
        )
    ]
    return [
        *table(head, cells),
        "",
        "Sizes are users of the sample; the misfit is the largest distance of a "
        "measured value from the line, as a share of it.",
    ]


def _assumptions(assumed: Assumptions) -> list[str]:
    return [
        f"- A build must be done within {assumed.hours:g} h.",
        f"- A machine like the one that measured costs {assumed.machine_price:g} US "
        f"dollars an hour. The largest to be had has {assumed.largest_machine} times "
        "its cores and memory, costs as many times that, and builds as many times "
        "faster, apart from the fixed seconds. That was not measured, and flatters it.",
        "- Spark on several machines is flattered alike: it takes the seconds that are "
        "not fixed divided by the machines, and nothing for what the network carries.",
        f"- BigQuery bills {assumed.tib_price:g} US dollars a TiB, for all columns of "
        "all tables that a query names, which is more than it really bills. How long "
        "it takes is not known here.",
        "- Storage costs nothing.",
    ]


def _sizes(lines: Lines, assumed: Assumptions) -> list[str]:
    window = assumed.hours * HOUR
    head = (
        *("users", "million events", "DuckDB h", "disk GB", "cores x"),
        *("DuckDB USD", "Spark h", "machines", "Spark USD", "BigQuery USD"),
    )
    duckdb, spark, bigquery = _in_dollars(lines, assumed)
    rows = []
    for multiple in MULTIPLES:
        events = multiple * REAL_USERS * lines.events_per_user
        machines = lines.spark.machines_for(events, window)
        # each machine waits for what is fixed
        cluster = None if machines is None else machines * spark.at(events, machines)
        rows.append(
            (
                f"{multiple * REAL_USERS:,}",
                f"{events / 1e6:,.1f}",
                f"{lines.duckdb.at(events) / HOUR:,.2f}",
                f"{lines.stored_mb.at(events) / 1e3:,.0f}",
                _number(lines.duckdb.machines_for(events, window)),
                f"{duckdb.at(events):,.2f}",
                f"{lines.spark.at(events) / HOUR:,.2f}",
                _number(machines),
                "-" if cluster is None else f"{cluster:,.2f}",
                f"{bigquery.at(events):,.2f}",
            )
        )
    return [
        *table(head, rows),
        "",
        "`h`: hours on the machine that measured. `disk`: the warehouse; a build needs "
        "room besides for what does not fit into memory. `cores x`: how many times its "
        "cores DuckDB needs, `machines`: how many like it Spark needs, to be done "
        f"within {assumed.hours:g} h. USD: one build, DuckDB's on that one machine.",
    ]


def _verdict(lines: Lines, assumed: Assumptions) -> list[str]:
    window = assumed.hours * HOUR
    one = lines.duckdb.events_within(window)
    largest = lines.duckdb.events_within(window, assumed.largest_machine)
    needed = lines.spark.machines_for(largest, window)
    duckdb, spark, bigquery = _in_dollars(lines, assumed)
    return [
        f"- **In time**: DuckDB on this machine builds {_events(one, lines)} within "
        f"{assumed.hours:g} h, on the largest {_events(largest, lines)}. "
        + (
            "Spark's fixed part alone takes longer: no number of machines helps."
            if needed is None
            else "Beyond that there is no single machine, and Spark pays: with "
            f"{needed:,} machines like this one at the least."
        ),
        "- **In money** Spark takes "
        f"{spark.per_million / duckdb.per_million:.1f} times as long for an event on "
        f"the same machine, and costs less {_from(spark, duckdb, lines)}. BigQuery "
        f"bills at most {bigquery.per_million / duckdb.per_million:.1f} times what "
        "DuckDB's machine costs for an event, and costs less "
        f"{_from(bigquery, duckdb, lines)}.",
    ]


def _in_dollars(lines: Lines, assumed: Assumptions) -> tuple[Line, Line, Line]:
    """Return what a build costs on DuckDB, Spark (one machine) and BigQuery."""
    a_second = assumed.machine_price / HOUR
    return (
        lines.duckdb.times(a_second),
        lines.spark.times(a_second),
        lines.billed_gib.times(assumed.tib_price / GIB_PER_TIB),
    )


def _from(one: Line, other: Line, lines: Lines) -> str:
    events = crossing(one, other)
    return "at no size" if events is None else f"from {_events(events, lines)} on"


def _events(events: float, lines: Lines) -> str:
    times = events / (REAL_USERS * lines.events_per_user)
    return f"{events / 1e6:,.0f} million events ({times:,.0f} times the competition's)"


def _number(machines: int | None) -> str:
    return "-" if machines is None else f"{machines:,}"
