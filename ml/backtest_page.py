"""What a backtest found, as text and as a page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ml import settings
from ml.fitting import Evaluation
from ml.markdown import table


@dataclass(frozen=True)
class Summary:
    """A model's mean over the weeks of one slice, with interval over users."""

    model_name: str
    metric: str
    slice: str
    value: float
    low: float
    high: float


#: Metrics that are shown per model as means over the weeks: name, slice, heading.
SHOWN = (
    ("map_at_10", "buyers", "MAP@10 of buyers", ".4f"),
    ("recall_at_10", "buyers", "recall@10", ".4f"),
    ("auc", "all", "AUC", ".4f"),
    ("pr_auc", "all", "PR-AUC", ".5f"),
    ("log_loss", "all", "log loss", ".6f"),
    ("brier", "all", "Brier", ".7f"),
    ("f1", "all", "F1", ".4f"),
)


def text(
    done: Mapping[dt.date, Evaluation], summaries: Sequence[Summary], reference: str
) -> str:
    """Return the tables for a terminal."""
    return "\n".join(_sections(done, summaries, reference))


def page(
    done: Mapping[dt.date, Evaluation],
    summaries: Sequence[Summary],
    reference: str,
    command: str,
    source: str,
    version: str,
) -> str:
    """Return the tables as a Markdown page."""
    weeks = sorted(done)
    n_users = len(next(iter(done[weeks[0]].per_user.precision.values())))
    kind = "a synthetic sample" if settings.is_synthetic() else "real data"
    head = [
        "# Backtest",
        "",
        f"Written by `{command}` on {kind} of {n_users:,} users (version {version}). "
        "Each week is measured with models fitted on the weeks before it. MAP@10 is "
        "over all users of the user list; intervals are 95 % bootstrap intervals over "
        f"users, differences are paired. Settings: {source}.",
        "",
    ]
    return "\n".join([*head, *_sections(done, summaries, reference)]) + "\n"


def _sections(
    done: Mapping[dt.date, Evaluation], summaries: Sequence[Summary], reference: str
) -> list[str]:
    by_key = {(s.model_name, s.metric, s.slice): s for s in summaries}
    slices = [
        s.slice
        for s in summaries
        if s.metric == "mean_map_at_10" and s.model_name == reference
    ]
    names = [
        s.model_name
        for s in summaries
        if s.metric == "mean_map_at_10" and s.slice == "all"
    ]
    names.sort(key=lambda name: -by_key[name, "mean_map_at_10", "all"].value)
    lines: list[str] = []
    for name in slices:
        rows = []
        for model in names:
            mean = by_key[model, "mean_map_at_10", name]
            difference = by_key.get(
                (reference, "mean_map_at_10_difference", f"{name}_to_{model}")
            )
            gain, share = "", ""
            if difference is not None:
                gain = (
                    f"{difference.value:+.5f} ({difference.low:+.5f}.."
                    f"{difference.high:+.5f})"
                )
                share = f"{difference.value / mean.value:+.1%}" if mean.value else ""
            rows.append(
                [
                    model,
                    f"{mean.value:.5f}",
                    f"{mean.low:.5f}..{mean.high:.5f}",
                    gain,
                    share,
                ]
            )
        head = ["model", "mean MAP@10", "interval", f"{reference} minus it", "relative"]
        lines += [f"## Mean over the weeks: {_words(name)}", "", *table(head, rows), ""]
    weekly = {
        week: {(m.model_name, m.metric, m.slice): m.value for m in evaluation.metrics}
        for week, evaluation in done.items()
    }
    rows = [
        [
            str(week),
            *(f"{weekly[week][name, 'map_at_10', 'all']:.5f}" for name in names),
        ]
        for week in sorted(done)
    ]
    lines += ["## MAP@10 by week", "", *table(["week", *names], rows), ""]
    rows = [
        [
            name,
            *(
                format(
                    sum(of[name, metric, part] for of in weekly.values()) / len(weekly),
                    shape,
                )
                for metric, part, _, shape in SHOWN
            ),
            f"{_mean(done, name, 'fit_seconds'):.1f}",
            f"{_mean(done, name, 'predict_seconds'):.1f}",
            f"{_mean(done, name, 'latency_p95_ms'):.1f}",
        ]
        for name in names
    ]
    head = [
        "model",
        *(heading for *_, heading, _ in SHOWN),
        *("fit s", "predict s", "p95 ms"),
    ]
    return [*lines, "## Other measures, mean over the weeks", "", *table(head, rows)]


def _words(slice_name: str) -> str:
    if slice_name == "all":
        return "all weeks, all coupons"
    if slice_name == "above_100_yen":
        return "coupons above 100 yen alone"
    return slice_name.replace("_", " ").replace("without ", "without the week of ")


def _mean(done: Mapping[dt.date, Evaluation], name: str, column: str) -> float:
    values = [
        row[column]
        for evaluation in done.values()
        for row in evaluation.model_rows
        if row["model_name"] == name
    ]
    return sum(values) / len(values)
