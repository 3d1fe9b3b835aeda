"""What was foreseen of the next genre, as text and as a section of its page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from ml.evaluate import Metric
from ml.markdown import aligned, cut, escaped, table
from ml.markdown import with_section as page_with_section

INTRODUCTION = """# The genre of the next purchase

A second target: of users who buy anything in the target week, the genre of their first
purchase in it (`ml.next_genre_examples`). Whether a user buys at all is not part of the
question. Written by `python -m ml.next_genre --write FILE`. Each week is measured with
models fitted on the labelled weeks before it, by default on the last four target weeks
before 2012-04-15, as for all choices. Intervals are 95 % bootstrap intervals over
users, differences are paired.

- `next_genre_most_frequent`: the shares of the genres among all earlier examples.
- `next_genre_own`, the baseline: the genre that the user bought most often before, with
  one purchase of the average user added.
- `next_genre_logistic_regression`: multinomial, on all features of the mart.
- `next_genre_lightgbm`: boosted trees on the same.
"""
METRICS = {
    "accuracy": "accuracy",
    "top_3_accuracy": "among the first 3",
    "log_loss": "log loss",
    "macro_f1": "macro F1",
}
#: Metrics of which less is better.
LOSSES = {"log_loss"}


@dataclass(frozen=True)
class Section:
    """What one run found on one data set.

    Attributes
    ----------
    reference
        The model that the others are compared with.
    """

    title: str
    judged: Sequence[dt.date]
    n_fitting_weeks: int
    n_examples: int
    genres: Sequence[str]
    reference: str
    version: str
    metrics: Sequence[Metric]

    def value(self, model_name: str, metric: str, slice_name: str) -> Metric | None:
        """Return one metric, None if it was not measured."""
        wanted = (model_name, metric, slice_name)
        return next(
            (m for m in self.metrics if (m.model_name, m.metric, m.slice) == wanted),
            None,
        )

    @property
    def models(self) -> list[str]:
        """Names of the models, in the order in which they were measured."""
        return list(dict.fromkeys(metric.model_name for metric in self.metrics))

    @property
    def best(self) -> str:
        """The model with the least log loss."""
        return min(
            self.models, key=lambda name: self.value(name, "log_loss", "all").value
        )


def answer(section: Section) -> str:
    """Say which models are clearly better than the baseline, and by what."""
    said = []
    for name in section.models:
        if name == section.reference:
            continue
        words = []
        for metric in ("accuracy", "log_loss"):
            found = section.value(
                name, f"{metric}_difference", f"to_{section.reference}"
            )
            is_gain = found.high < 0 if metric in LOSSES else found.low > 0
            is_loss = found.low > 0 if metric in LOSSES else found.high < 0
            word = "better" if is_gain else "worse" if is_loss else "not clearly other"
            words.append(
                f"{word} in {METRICS[metric]} ({found.value:+.4f}, "
                f"{found.low:+.4f}..{found.high:+.4f})"
            )
        said.append(f"{name} is {' and '.join(words)}")
    return f"Against {section.reference}: {'; '.join(said)}."


def metric_lines(section: Section) -> list[tuple[str, ...]]:
    """Return a row per model, a head above."""
    rows = [("model", *METRICS.values())]
    for name in section.models:
        cells = [section.value(name, metric, "all") for metric in METRICS]
        rows.append(
            (name, *(f"{m.value:.4f} ({m.low:.4f}..{m.high:.4f})" for m in cells))
        )
    return rows


def confusion_lines(section: Section, model_name: str) -> list[tuple[str, ...]]:
    """Return how often each genre bought (row) was named as each, a head above."""
    rows = [("bought", *section.genres)]
    for bought in section.genres:
        cells = [
            section.value(model_name, "confusion", f"{bought}_as_{said}")
            for said in section.genres
        ]
        rows.append((bought, *(f"{m.value:.0f}" if m else "0" for m in cells)))
    return rows


def text(section: Section) -> str:
    """Return the section for a terminal."""
    return "\n".join(
        [
            f"{section.title}: {_setting(section)}",
            *aligned(metric_lines(section)),
            answer(section),
            f"{section.best}, genre bought by genre named:",
            *aligned(confusion_lines(section, section.best)),
        ]
    )


def with_section(page: str, section: Section) -> str:
    """Return the page with this section added, or in place of its namesake."""
    head, *rows = metric_lines(section)
    genre_head, *genre_rows = (
        [escaped(cut(cell)) for cell in row]
        for row in confusion_lines(section, section.best)
    )
    lines = [
        *(section.title, "", answer(section), "", _setting(section), ""),
        *table(head, rows),
        *("", f"{section.best}, the genre bought (row) by the genre named:", ""),
        *table(genre_head, genre_rows),
        "",
    ]
    return page_with_section(page, INTRODUCTION, "\n".join(lines))


def _setting(section: Section) -> str:
    return (
        f"{section.n_examples:,} examples of {len(section.judged)} target week"
        f"{'s' if len(section.judged) > 1 else ''} from {section.judged[0]} to "
        f"{section.judged[-1]}, each foreseen from the weeks before it "
        f"({section.n_fitting_weeks} before the first); version {section.version}."
    )
