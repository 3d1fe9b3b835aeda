"""The result of an ablation as text and as a section of docs/ablation.md."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass

from ml.markdown import aligned, table
from ml.markdown import with_section as page_with_section
from ml.variants import FULL, Outcome, Variant, by_variant

TITLE = "# What each group of features brings"
INTRODUCTION = (
    "Written by `make ablation`. A model is fitted without one group of features after "
    "another, with the same settings, and compared with the one that sees them all: on "
    "target weeks before 2012-04-15 only, fitted on the earlier ones, judged on the "
    "last. A difference below 0 says that the group is missed; * marks 95 % intervals "
    "(paired bootstrap over users) without 0. Groups overlap in what they say, so the "
    "differences do not add up. Settings are those of the model's last run on the data "
    "if there is one."
)
HEAD = ("variant", "features", "MAP@10", "difference", "AUC", "difference")


@dataclass(frozen=True)
class Section:
    """What one run found on one data set."""

    title: str
    model_name: str
    parameters: str
    fitting: Sequence[dt.date]
    judged: Sequence[dt.date]
    n_auc_users: int
    version: str
    outcomes: Sequence[Outcome]


def lines_of(section: Section) -> list[tuple[str, ...]]:
    """Return a row of text per variant, the most missed group first of its kind."""
    found = by_variant(section.outcomes)

    def place(variant: Variant) -> tuple:
        kinds = (FULL, "without", "alone")
        difference = found[variant]["map_at_10"].difference
        sign = -1 if variant.kind == "alone" else 1
        return kinds.index(variant.kind), sign * (difference if difference else 0.0)

    rows = []
    for variant in sorted(found, key=place):
        of_map, of_auc = found[variant]["map_at_10"], found[variant]["auc"]
        name = (
            variant.kind if variant.kind == FULL else f"{variant.kind} {variant.group}"
        )
        rows.append(
            (
                name,
                str(variant.n_features),
                f"{of_map.value:.5f}",
                _difference(of_map, 5),
                f"{of_auc.value:.4f}",
                _difference(of_auc, 4),
            )
        )
    return rows


def text(section: Section) -> str:
    """Return the section for a terminal."""
    lines = aligned([HEAD, *lines_of(section)])
    return "\n".join([f"{section.title}: {_setting(section)}", *lines])


def with_section(page: str, section: Section) -> str:
    """Return the page with this section added, or in place of its namesake."""
    introduction = f"{TITLE}\n\n{INTRODUCTION}\n"
    return page_with_section(page, introduction, _markdown(section))


def _markdown(section: Section) -> str:
    lines = table(HEAD, lines_of(section))
    return "\n".join([section.title, "", _setting(section), "", *lines]) + "\n"


def _setting(section: Section) -> str:
    return (
        f"{section.model_name} {section.parameters}, fitted on "
        f"{len(section.fitting)} weeks from {section.fitting[0]} to "
        f"{section.fitting[-1]}, judged on {len(section.judged)} from "
        f"{section.judged[0]} to {section.judged[-1]}; MAP@10 over all users, AUC over "
        f"all candidate pairs of {section.n_auc_users:,} users; version "
        f"{section.version}."
    )


def _difference(outcome: Outcome, digits: int) -> str:
    if math.isnan(outcome.difference):
        return "-"
    is_clear = outcome.low > 0 or outcome.high < 0
    shown = [
        f"{value:+.{digits}f}"
        for value in (outcome.difference, outcome.low, outcome.high)
    ]
    return f"{shown[0]} ({shown[1]}..{shown[2]}){' *' if is_clear else ''}"
