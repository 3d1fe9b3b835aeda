"""What bounds a query: the operators of its plan that take most processor time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ml import settings
from ml.warehouse import Warehouse, open_warehouse

#: What says most of an operator, in this order.
DETAILS = ("Table", "Function", "Conditions", "Groups", "Aggregates", "Expression")
MAX_DETAIL = 60


class PlanError(Exception):
    """The engine ran a query but gave no plan, as it does for some trivial ones."""


@dataclass(frozen=True)
class Bottleneck:
    """The type of operator that takes most of an executed plan's processor time.

    Attributes
    ----------
    operator
        DuckDB's name of the type.
    n_operators
        How many of them the plan has.
    share
        Their share of the plan's processor time.
    plan_seconds
        Processor seconds of the whole plan, over all threads.
    detail
        What the costliest of them works on: a table, the columns of a join or of a
        grouping; may be empty.
    n_rows
        Rows that the costliest of them gave to the next operator.
    """

    operator: str
    n_operators: int
    share: float
    plan_seconds: float
    detail: str
    n_rows: int

    def __str__(self) -> str:
        times = f"{self.n_operators} x " if self.n_operators > 1 else ""
        most = "; most in the one" if self.n_operators > 1 else ""
        on = f" on {self.detail}" if self.detail else ""
        return (
            f"{times}{self.operator}: {self.share:.0%} of {self.plan_seconds:.3g} CPU "
            f"s{most}{on}, {self.n_rows:,} rows"
        )


def bottlenecks(database: Path, queries: Mapping[str, str]) -> dict[str, str]:
    """Run queries on a warehouse, for reading only, and say what bounds each.

    The engine has the memory that it has in ``dbt build``. A query that fails all the
    same is answered with the reason.
    """
    found = {}
    with open_warehouse(database, read_only=True) as warehouse:
        warehouse.rows(f"set memory_limit = '{settings.build_memory_limit()}'")
        warehouse.rows("set preserve_insertion_order = false")
        for name, sql in queries.items():
            try:
                found[name] = str(explain(warehouse, sql))
            except (duckdb.Error, PlanError) as error:
                found[name] = f"not measured: {str(error).splitlines()[0]}"
    return found


def explain(warehouse: Warehouse, sql: str) -> Bottleneck:
    """Run one query and return the costliest operator of its plan."""
    ((_, plan),) = warehouse.rows(f"explain (analyze, format json) {sql}")
    return costliest(json.loads(plan))


def costliest(plan: dict) -> Bottleneck:
    """Return the type of operator with the most processor time of an analysed plan.

    Raises
    ------
    PlanError
        There is no plan.
    """
    if "operator" not in plan:
        raise PlanError("the engine gave no plan")
    by_type: dict[str, list[dict]] = {}
    for operator in _operators(plan["operator"]):
        by_type.setdefault(operator["type"], []).append(operator)
    seconds = {
        name: sum(operator["timing"] for operator in operators)
        for name, operators in by_type.items()
    }
    total = sum(seconds.values())
    slowest = max(seconds, key=lambda name: seconds[name])
    one = max(by_type[slowest], key=lambda operator: operator["timing"])
    return Bottleneck(
        operator=slowest,
        n_operators=len(by_type[slowest]),
        share=seconds[slowest] / total if total > 0 else 0.0,
        plan_seconds=total,
        detail=_detail(one.get("extra_info", {})),
        n_rows=one["intermediate_rows"],
    )


def _operators(nodes: list[dict]) -> Iterator[dict]:
    for node in nodes:
        yield node
        yield from _operators(node.get("children", []))


def _detail(extra: dict) -> str:
    for name in DETAILS:
        value = extra.get(name)
        text = value if isinstance(value, str) else ", ".join(value or [])
        text = " ".join(text.replace('"', "").split())
        # columns without a name say nothing
        if text and not re.fullmatch(r"(#\d+(, )?)+", text):
            short = text if len(text) <= MAX_DETAIL else text[: MAX_DETAIL - 3] + "..."
            return f"{name.lower()} {short}"
    return ""
