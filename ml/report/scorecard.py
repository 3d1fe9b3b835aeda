"""The project's criteria with their bars and what was measured, from the tables."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path

from ml import settings
from ml.report.facts import Data
from ml.report.words import Text, bars, both, number


@dataclass(frozen=True)
class Line:
    """One criterion; `verdict` is pass, fail or not_measured."""

    title: Text
    bar: Text
    measured: Text
    verdict: str
    source: Text


def measures(data: Data) -> dict[str, float | None]:
    """Return what was measured by name, None for what was not."""
    (quality,) = data["data_quality"]
    default = next((row for row in data["runs"] if row["is_default"]), {})
    return {
        **_gains(data),
        **{
            name: default.get(name)
            for name in (
                *("latency_p95_ms", "pairs_per_second", "fit_seconds"),
                "peak_memory_mb",
            )
        },
        "warehouse_mb": _megabytes(settings.warehouse_path()),
        "model_mb": _megabytes(_model_file(default.get("model_file"))),
        "failed_tests": failed_tests(settings.warehouse_path().stem),
        "n_untranslated": quality["n_untranslated"],
    }


def _gains(data: Data) -> dict[str, float | None]:
    """Return lower bounds of the published model's gains over the yardsticks.

    A backtest's, which is over many weeks, stand in for those of the one week.
    """
    low = {
        row["model_name"]: row["default_minus_it_low"] for row in data["leaderboard"]
    } | {row["model_name"]: row["low"] for row in data["backtest_gains"]}
    return {
        f"gain_over_{name}": low.get(model)
        for name, model in (
            ("popularity", "popularity"),
            ("cosine", "cosine"),
            ("competition_cosine", "competition_cosine"),
            ("reference", "lightgbm_reference"),
        )
    }


def scorecard(measured: dict[str, float | None]) -> list[Line]:
    """Return every criterion of bars.yml with its verdict."""
    return [
        Line(
            bar["title"],
            _bar_text(bar),
            _with_unit(bar, measured[bar["measure"]]),
            verdict(bar, measured[bar["measure"]]),
            bar["source"],
        )
        for bar in bars()
    ]


def verdict(bar: dict, value: float | None) -> str:
    """Return whether a value reaches its bar."""
    if value is None or math.isnan(value):
        return "not_measured"
    reached = (
        ("at_least" in bar and value >= bar["at_least"])
        or ("at_most" in bar and value <= bar["at_most"])
        or ("above" in bar and value > bar["above"])
    )
    return "pass" if reached else "fail"


def _bar_text(bar: dict) -> Text:
    sign, key = next(
        (sign, key)
        for sign, key in (("≥", "at_least"), ("≤", "at_most"), (">", "above"))
        if key in bar
    )
    shown = f"{sign} {number(bar[key])}"
    return {
        language: f"{shown} {unit}".strip()
        for language, unit in bar.get("unit", both("")).items()
    }


def _with_unit(bar: dict, value: float | None) -> Text:
    if value is None or math.isnan(value):
        return both("-")
    shown = number(value, bar["digits"])
    return {
        language: f"{shown} {unit}".strip()
        for language, unit in bar.get("unit", both("")).items()
    }


def _model_file(name: str | None) -> Path | None:
    return settings.PROJECT_DIR / name if name else None


def _megabytes(path: Path | None) -> float | None:
    """Return the size of a file in MB (10^6 bytes), None if it is not there."""
    return path.stat().st_size / 1e6 if path is not None and path.is_file() else None


def failed_tests(database: str) -> int | None:
    """Return how many data tests failed in dbt's last command on this warehouse.

    None if dbt left no results here, or results of another warehouse, or ran no tests.
    """
    target = Path(os.environ.get("DBT_TARGET_PATH") or settings.PROJECT_DIR / "target")
    path = target / "run_results.json"
    if not path.is_file():
        return None
    results = json.loads(path.read_text(encoding="utf-8"))["results"]
    databases = {
        result["relation_name"].split(".")[0].strip('"')
        for result in results
        if result.get("relation_name") and not _is_test(result)
    }
    tests = [result for result in results if _is_test(result)]
    if database not in databases or not tests:
        return None
    return sum(result["status"] in {"fail", "error"} for result in tests)


def _is_test(result: dict) -> bool:
    return result["unique_id"].split(".")[0] in {"test", "unit_test"}
