"""Compares a generated sample with the published figures, target by target.

Example
-------
``python -m ml.calibrate --data data/sample --write docs/calibration.md``
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from ml import calibration, oracle
from ml.files import write_whole
from ml.sample_data import published
from ml.settings import PROJECT_DIR

TARGETS_CSV = PROJECT_DIR / "docs" / "calibration-targets.csv"
CORE_GROUPS = {
    "activity": ("purchases per user", "week"),
    "genre": ("genre",),
    "place": ("place",),
    "re-issues": ("repeat",),
    "views": ("views",),
}
WANTED_SHARE = 0.85
NO_HISTORY = ("week", "buyers of the test week with no earlier purchase")
# "scale" is a total that grows with the users; "loose" is an inferred shape.
SCALE_TOLERANCE = 0.05
LOOSE_FACTOR = 1.5
LOOSE_POINTS = 10.0
NEEDS_MODELS = (
    "a property of trained models, not of the data: this command trains none; "
    "`make oracle` reports what the project's models reach on samples"
)
NEEDS_TRUTH = "needs the purchases of the test week, which lie beside generated data"


@dataclass(frozen=True)
class Target:
    """One published number and how far the sample may be from it."""

    group: str
    name: str
    real: float
    tolerance: str
    unit: str
    kind: str

    def bounds(self, scale: float = 1.0) -> tuple[float, float]:
        """Lowest and highest value that passes.

        Parameters
        ----------
        scale
            Share of the real number of users, for totals (tolerance ``scale``).

        Raises
        ------
        ValueError
            If the tolerance cannot be read.
        """
        text, real = self.tolerance, self.real
        if ".." in text:
            low, high = text.split("..")
            return float(low), float(high)
        if text == "loose" and real == 0:
            return 0.0, LOOSE_POINTS
        if text == "loose" or text.startswith("factor "):
            factor = (
                LOOSE_FACTOR if text == "loose" else float(text.removeprefix("factor "))
            )
            return real / factor, real * factor
        if text == "scale":
            real *= scale
            slack = SCALE_TOLERANCE * real
        elif text == "1 step":
            # One page, or the two digits that the published quantile is given in.
            slack = max(1.0, 0.05 * real)
        elif text.endswith("%"):
            slack = abs(real) * float(text[:-1]) / 100
        else:
            slack = float(text)
        return real - slack, real + slack


@dataclass(frozen=True)
class Outcome:
    """A target and what the sample has; ``value`` is None if it needs models."""

    target: Target
    value: float | None
    passed: bool


def read_targets(path: Path = TARGETS_CSV) -> list[Target]:
    """Read the machine-readable targets."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Target(
                row["group"],
                row["name"],
                float(row["real"]),
                row["tolerance"],
                row["unit"],
                row["kind"],
            )
            for row in csv.DictReader(file)
        ]


def compare(targets: list[Target], measures: calibration.Measures) -> list[Outcome]:
    """Judge every target; totals are scaled by users and by catalogue."""
    users = measures.get(("volume", "users"), published.USERS) / published.USERS
    outcomes = []
    for target in targets:
        value = measures.get((target.group, target.name))
        absent = (target.group, target.name) == NO_HISTORY and value is None
        if "needs models" in target.kind or absent:
            outcomes.append(Outcome(target, None, False))
            continue
        scale = users
        if target.name.startswith(("coupons,", "area rows,")):
            scale = min(1.0, math.sqrt(users))
        low, high = target.bounds(scale)
        slack = 1e-9 * max(1.0, abs(target.real))
        found = 0.0 if value is None else value
        passed = low - slack <= found <= high + slack
        outcomes.append(Outcome(target, found, passed))
    return outcomes


def shares(outcomes: list[Outcome]) -> dict[str, tuple[int, int]]:
    """Targets passed and measured: in all, by group, and by core group."""
    counted = [o for o in outcomes if o.value is not None]
    result = {"all": (sum(o.passed for o in counted), len(counted))}
    for core, groups in CORE_GROUPS.items():
        inside = [o for o in counted if o.target.group in groups]
        result[f"core: {core}"] = (sum(o.passed for o in inside), len(inside))
    by_group = defaultdict(list)
    for outcome in counted:
        by_group[outcome.target.group].append(outcome.passed)
    for group, passed in by_group.items():
        result[group] = (sum(passed), len(passed))
    return result


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    if math.isnan(value):
        return "none"
    if abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{value:.4g}"


def text_report(outcomes: list[Outcome], *, misses_only: bool = False) -> str:
    """Return the comparison as text, one line per target."""
    lines = []
    for outcome in outcomes:
        target = outcome.target
        mark = "pass" if outcome.passed else "MISS"
        if outcome.value is None:
            mark = "not measured"
        if misses_only and mark != "MISS":
            continue
        lines.append(
            f"{mark:13}{target.group:21}{target.name:78}"
            f"{_number(target.real):>9}{_number(outcome.value):>10}"
            f"  {target.tolerance} ({target.unit})"
        )
    return "\n".join(lines)


def summary(outcomes: list[Outcome]) -> str:
    """Return passed, measured and share, in all and by core group."""
    lines = []
    for name, (passed, n) in shares(outcomes).items():
        if name == "all" or name.startswith("core"):
            lines.append(
                f"{name:18}{passed:4} of {n:4}  {100 * passed / max(n, 1):.1f} %"
            )
    return "\n".join(lines)


def markdown(outcomes: list[Outcome], n_users: int) -> str:
    """Return the comparison as a page: summary, misses, what is absent, all targets."""
    lines = [
        "# Calibration of the sample data",
        "",
        f"Written by `python -m ml.calibrate`, on a synthetic sample of {n_users:,} "
        "users. `real` is the published figure of the competition's data, `ours` the "
        "sample's. How the sample is made, and why some targets miss: "
        "[sample-data.md](sample-data.md).",
        "",
        "| targets | passed | measured | share |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, (passed, n) in shares(outcomes).items():
        lines.append(f"| {name} | {passed} | {n} | {100 * passed / max(n, 1):.1f} % |")
    for title, wanted in (("Misses", True), ("All targets", False)):
        if not wanted:
            lines += _not_measured(outcomes)
        lines += [
            "",
            f"## {title}",
            "",
            "| group | target | real | ours | tolerance | unit | kind | result |",
            "| --- | --- | ---: | ---: | --- | --- | --- | --- |",
        ]
        for outcome in outcomes:
            target = outcome.target
            result = "pass" if outcome.passed else "**miss**"
            if outcome.value is None:
                result = "not measured here"
            if wanted and (outcome.passed or outcome.value is None):
                continue
            lines.append(
                f"| {target.group} | {target.name} | {_number(target.real)} | "
                f"{_number(outcome.value)} | {target.tolerance} | {target.unit} | "
                f"{target.kind} | {result} |"
            )
    return "\n".join(lines) + "\n"


def _not_measured(outcomes: list[Outcome]) -> list[str]:
    """Name the targets without a value and say what each would need."""
    absent = [o.target for o in outcomes if o.value is None]
    if not absent:
        return []
    lines = [
        "",
        "## Not measured",
        "",
        "| group | target | why |",
        "| --- | --- | --- |",
    ]
    for target in absent:
        why = NEEDS_MODELS if "needs models" in target.kind else NEEDS_TRUTH
        lines.append(f"| {target.group} | {target.name} | {why} |")
    return lines


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ml.calibrate",
        description="Compare a generated sample with the published figures.",
        epilog="example:\n  python -m ml.calibrate --data data/full",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="directory of CSVs")
    parser.add_argument("--write", type=Path, help="also write the table as Markdown")
    parser.add_argument(
        "--misses", action="store_true", help="print only the targets that miss"
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 if the wanted share of targets passes, else 2."""
    options = _parser().parse_args(arguments)
    last = [time.monotonic()]

    def say(text: str) -> None:
        if time.monotonic() - last[0] >= 2:
            print(f"measuring: {text}", file=sys.stderr, flush=True)
        last[0] = time.monotonic()

    try:
        measures = calibration.measure(options.data, say)
    except FileNotFoundError as error:
        print(f"calibrate: {error}", file=sys.stderr)
        return 1
    try:
        measures[NO_HISTORY] = oracle.share_without_history(
            oracle.load_truth(options.data), options.data
        )
    except oracle.TruthError:
        print("note: no truth beside the data; the test week is not measured")
    outcomes = compare(read_targets(), measures)
    print(text_report(outcomes, misses_only=options.misses))
    print()
    print(summary(outcomes))
    n_users = int(measures["volume", "users"])
    if n_users != published.USERS:
        print(
            f"note: the targets are those of {published.USERS:,} users; this sample "
            f"has {n_users:,}, so figures per coupon differ by design"
        )
    if options.write:
        write_whole(options.write, markdown(outcomes, n_users))
    passed, n = shares(outcomes)["all"]
    return 0 if passed >= WANTED_SHARE * n else 2


if __name__ == "__main__":
    sys.exit(main())
