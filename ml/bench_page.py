"""The benchmark's results as a Markdown page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

from ml.child import Cost
from ml.cut_files import WHOLE, Span
from ml.markdown import table
from ml.serving_load import Load

#: Users of the competition's files: the size that others are compared with.
REAL_USERS = 22_873
BUILD, TRAIN = "dbt build", "ml.train"
ABOUT_DUCKDB = (
    "Each size is built with all tests in a process of its own and a new warehouse. "
    "Peak memory is that of the largest process; DuckDB runs inside it. `ml.train` "
    "fits, evaluates and explains all models."
)
ABOUT_SPARK = (
    "Each size is built with all data tests (no unit tests) in a session of its own "
    "with a worker thread for each core, two models at a time, and a new warehouse "
    "and metastore. Peak memory is that of all processes of a step added up, looked "
    "at five times a second; Java may take 3 GB of heap, and more beside it."
)


@dataclass(frozen=True)
class Timed:
    """One model or test of a build.

    Attributes
    ----------
    n_rows
        Rows of the model, or of the model that is tested; None for a view or file.
    bound_by
        The costliest operators of its query; empty if it was not looked at.
    """

    name: str
    seconds: float
    n_rows: int | None
    bound_by: str = ""


@dataclass(frozen=True)
class Speed:
    """What ``ml.model_runs`` says of the published model."""

    model_name: str
    n_training_pairs: int
    fit_seconds: float
    n_evaluated_pairs: int
    predict_seconds: float
    pairs_per_second: float
    latency_p50_ms: float
    latency_p95_ms: float


@dataclass(frozen=True)
class SizeResult:
    """Everything measured at one size.

    Attributes
    ----------
    costs
        Cost per step: ``sample``, ``dbt build``, if it was run ``ml.train``, and
        ``a week more``; on Spark ``ml.export_raw`` and no training.
    rows
        Rows per main table.
    n_events
        Purchases and page views: what grows with the users' history.
    billed_gib
        What BigQuery would bill for a build with its tests, at most, in GiB; None if
        it was not estimated.
    """

    users: int
    costs: dict[str, Cost]
    rows: dict[str, int]
    n_events: int
    warehouse_mb: float
    models: list[Timed]
    tests: list[Timed]
    speed: Speed | None = None
    serving: list[Load] = field(default_factory=list)
    billed_gib: float | None = None


@dataclass(frozen=True)
class Machine:
    """Where and on what the benchmark ran."""

    cores: int
    memory_gb: float
    engine: str
    code_version: str
    date: dt.date = field(default_factory=dt.date.today)


def markdown(
    machine: Machine,
    seed: int,
    results: Sequence[SizeResult],
    span: Span = WHOLE,
) -> str:
    """Return the page: summary, scaling, then each size.

    Parameters
    ----------
    span
        What part of the samples the files held.
    """
    lines = [
        "# Benchmarks",
        "",
        f"Written by `{_command(machine, seed, results, span)}` on synthetic samples "
        f"(docs/sample-data.md). {ABOUT_SPARK if on_spark(machine) else ABOUT_DUCKDB}",
        "",
        *table(
            ("date", "cores", "memory", "engine", "version of the project"),
            [
                (
                    str(machine.date),
                    str(machine.cores),
                    f"{machine.memory_gb:.0f} GB",
                    machine.engine,
                    machine.code_version,
                )
            ],
        ),
        "",
        "## Seconds and memory",
        "",
        *_summary(results),
    ]
    if any(result.speed for result in results):
        lines += [
            *("", "## Speed of the published model", ""),
            "Fitting with the members of a blend; scores without reading the pairs; "
            "latency of ranking one user's candidates.",
            *("", *_speed(results)),
        ]
    if any(result.serving for result in results):
        lines += [
            *("", "## Serving under load", ""),
            "One user's ten coupons with their reasons, users drawn at random, clients "
            "that ask again as soon as they are answered: read from the published "
            "table, or ranked by the loaded model on features read from the marts. "
            "What `python -m ml.recommend` does once it has started.",
            *("", *_serving(results)),
        ]
    if len(results) > 1:
        lines += ["", "## Scaling", "", *_scaling(results)]
    for result in results:
        lines += ["", f"## {result.users:,} users", "", *_size(result)]
    return "\n".join(lines) + "\n"


def on_spark(machine: Machine) -> bool:
    """Whether the results are Spark's."""
    return machine.engine.startswith("Spark")


def _command(
    machine: Machine,
    seed: int,
    results: Sequence[SizeResult],
    span: Span,
) -> str:
    """Return the command that measures these results again."""
    sizes = " ".join(str(result.users) for result in results)
    if on_spark(machine):
        spark = ".venv-spark/bin/python -m ml.bench --target spark"
        return f"{spark} --users {sizes} --seed {seed}"
    trained = [result.users for result in results if TRAIN in result.costs]
    largest = max(trained, default=0)
    # by default all sizes up to the competition's are trained
    is_default = trained == [r.users for r in results if r.users <= REAL_USERS]
    option = "" if is_default else f" --train-up-to {largest}"
    option += f" --since {span.since}" if span.since else ""
    option += f" --until {span.until}" if span.until else ""
    return f"python -m ml.bench --users {sizes} --seed {seed}{option}"


def base_of(results: Sequence[SizeResult]) -> SizeResult:
    """Return the size that the others are compared with: 1/1, else the first."""
    return next((r for r in results if r.users == REAL_USERS), results[0])


def _summary(results: Sequence[SizeResult]) -> list[str]:
    steps = _steps(results)
    head = ["users", "events", "warehouse MB"]
    for step in steps:
        head += [f"{step} s", f"{step} peak MB"]
    rows = []
    for result in results:
        cells = [
            f"{result.users:,}",
            f"{result.n_events:,}",
            f"{result.warehouse_mb:,.0f}",
        ]
        for step in steps:
            cost = result.costs.get(step)
            cells += (
                [f"{cost.seconds:,.1f}", f"{cost.peak_memory_mb:,.0f}"]
                if cost
                else ["-", "-"]
            )
        rows.append(cells)
    return table(head, rows)


def _speed(results: Sequence[SizeResult]) -> list[str]:
    return table(
        (
            *("users", "model", "training pairs", "fit s", "scored pairs", "score s"),
            *("pairs a second", "latency p50 ms", "latency p95 ms"),
        ),
        (
            (
                f"{result.users:,}",
                result.speed.model_name,
                f"{result.speed.n_training_pairs:,}",
                f"{result.speed.fit_seconds:,.1f}",
                f"{result.speed.n_evaluated_pairs:,}",
                f"{result.speed.predict_seconds:,.1f}",
                f"{result.speed.pairs_per_second:,.0f}",
                f"{result.speed.latency_p50_ms:.2f}",
                f"{result.speed.latency_p95_ms:.2f}",
            )
            for result in results
            if result.speed
        ),
    )


def _serving(results: Sequence[SizeResult]) -> list[str]:
    return table(
        (
            *("users", "answered from", "clients", "queries", "queries a second"),
            *("p50 ms", "p95 ms", "p99 ms"),
        ),
        (
            (
                f"{result.users:,}",
                load.door,
                str(load.n_clients),
                f"{load.n_queries:,}",
                f"{load.queries_per_second:,.1f}",
                f"{load.p50_ms:,.1f}",
                f"{load.p95_ms:,.1f}",
                f"{load.p99_ms:,.1f}",
            )
            for result in results
            for load in result.serving
        ),
    )


def _scaling(results: Sequence[SizeResult]) -> list[str]:
    """Return events, seconds and memory as multiples of the base.

    A step whose seconds grow as the events do has the events' own ratio.
    """
    base = base_of(results)
    steps = _steps(results)
    head = ["users", "events"]
    for step in steps:
        head += [f"{step} s", f"{step} s an event", f"{step} peak MB"]
    rows = []
    for result in results:
        events = result.n_events / base.n_events
        cells = [f"{result.users:,}", f"{events:.2f}"]
        for step in steps:
            now, then = result.costs.get(step), base.costs.get(step)
            if now is None or then is None:
                cells += ["-", "-", "-"]
                continue
            seconds = now.seconds / then.seconds
            cells += [
                f"{seconds:.2f}",
                f"{seconds / events:.2f}",
                f"{now.peak_memory_mb / then.peak_memory_mb:.2f}",
            ]
        rows.append(cells)
    return [
        f"Multiples of {base.users:,} users; `s an event` below 1 means that the step "
        "grows more slowly than purchases and page views do.",
        "",
        *table(head, rows),
    ]


def _size(result: SizeResult) -> list[str]:
    is_explained = any(model.bound_by for model in result.models)
    head = ("model", "s", "rows", "what bounds it")
    rows = [
        (m.name, f"{m.seconds:.2f}", _count(m.n_rows), m.bound_by)
        for m in result.models
    ]
    n_columns = len(head) if is_explained else len(head) - 1
    return [
        *table(
            ("table", "rows"),
            ((name, f"{n_rows:,}") for name, n_rows in result.rows.items()),
        ),
        "",
        "Slowest models, and the operators that take most of the time when a model's "
        "query is run again alone (`explain analyze`; writing the table is not in it):"
        if is_explained
        else "Slowest models:",
        "",
        *table(head[:n_columns], (row[:n_columns] for row in rows)),
        "",
        "Slowest tests, with the rows of the model tested:",
        "",
        *table(
            ("test", "s", "rows"),
            ((t.name, f"{t.seconds:.2f}", _count(t.n_rows)) for t in result.tests),
        ),
    ]


def _steps(results: Sequence[SizeResult]) -> list[str]:
    return list(dict.fromkeys(step for result in results for step in result.costs))


def _count(n_rows: int | None) -> str:
    return "view" if n_rows is None else f"{n_rows:,}"
