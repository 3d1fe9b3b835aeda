"""The answer to a question about fitting, as text and as a section of its page."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ml.comparison import Outcome
from ml.markdown import aligned, table
from ml.markdown import with_section as page_with_section
from ml.questions import QUESTIONS

PROTOCOL = (
    "Written by `python -m ml.compare --question {name} --write FILE`. On target weeks "
    "before 2012-04-15 only, fitted on the earlier ones, judged on the last; the "
    "settings stand above each table. MAP@10 is over all users of "
    "the user list, with its 95 % bootstrap interval over users; differences are "
    "paired, and * marks those whose interval holds no 0. Intervals say how sure the "
    "result is for other users, not for another seed or other weeks: a small "
    "difference without 0 may still be the luck of one fit."
)
HEAD = ("fitted with", "weeks", "users", "pairs", "MAP@10", "difference", "seconds")


@dataclass(frozen=True)
class Section:
    """What one run found on one data set.

    Attributes
    ----------
    parameters
        Per model its hyper-parameters as JSON, without those that are varied.
    outcomes
        Per model one outcome per option.
    """

    question: str
    title: str
    parameters: Mapping[str, str]
    fitting: Sequence[dt.date]
    judged: Sequence[dt.date]
    version: str
    outcomes: Mapping[str, Sequence[Outcome]]


def answers(section: Section) -> list[str]:
    """Return the answer of each model in one sentence, told by the numbers alone."""
    answer = enough_data if section.question == "learning_curve" else best_option
    return [answer(name, outcomes) for name, outcomes in section.outcomes.items()]


def enough_data(model_name: str, outcomes: Sequence[Outcome]) -> str:
    """Say whether MAP@10 still rises with weeks and with users.

    It rises if the last step, from the largest part to everything, is a clear gain. It
    is flat from the smallest part on from which no part is clearly worse than
    everything. Parts that are clearly better than everything are named: then it is not
    data that is lacking.
    """
    said = []
    for aspect in ("weeks", "users"):
        parts = [o for o in outcomes if o.fit.option.aspect == aspect]
        if not parts:
            said.append(f"{aspect}: too few to tell")
        elif parts[-1].is_worse:
            value, low, high = (-bound for bound in parts[-1].difference)
            said.append(
                f"{aspect}: still rising, everything is better than the "
                f"{parts[-1].fit.option.name} by {value:.5f} ({high:.5f}..{low:.5f})"
            )
        else:
            n_enough = next(
                (n for n, part in enumerate(reversed(parts)) if part.is_worse),
                len(parts),
            )
            first = parts[-n_enough]
            said.append(
                f"{aspect}: flat from the {first.fit.option.name} on, more brings no "
                f"clear gain (difference {_interval(first.difference)})"
            )
        for part in parts:
            if part.is_better:
                said[-1] += (
                    f", and the {part.fit.option.name} is clearly better than "
                    f"everything ({_interval(part.difference)})"
                )
    return f"{model_name}: {'; '.join(said)}."


def best_option(model_name: str, outcomes: Sequence[Outcome]) -> str:
    """Say which options are clearly better or worse than the first."""
    default = outcomes[0].fit.option.name
    said = []
    for word, names in (
        ("better", [o.fit.option.name for o in outcomes if o.is_better]),
        ("worse", [o.fit.option.name for o in outcomes if o.is_worse]),
    ):
        if names:
            verb = "is" if len(names) == 1 else "are"
            said.append(f"{' and '.join(names)} {verb} clearly {word} than {default}")
        else:
            said.append(f"none is clearly {word} than {default}")
    best = max(outcomes, key=lambda outcome: outcome.value[0])
    return (
        f"{model_name}: {', '.join(said)}; the highest MAP@10 has "
        f"{best.fit.option.name}, {best.value[0]:.5f}."
    )


def lines_of(outcomes: Sequence[Outcome]) -> list[tuple[str, ...]]:
    """Return a row of text per option."""
    return [
        (
            outcome.fit.option.name,
            str(outcome.fit.n_weeks),
            f"{outcome.fit.n_users:,}",
            f"{outcome.fit.n_pairs:,}",
            f"{outcome.value[0]:.5f} ({outcome.value[1]:.5f}..{outcome.value[2]:.5f})",
            _difference(outcome),
            f"{outcome.fit.seconds:.0f}",
        )
        for outcome in outcomes
    ]


def text(section: Section) -> str:
    """Return the section for a terminal."""
    lines = [f"{section.title}: {_setting(section)}"]
    for name, outcomes in section.outcomes.items():
        lines += [name, *aligned([HEAD, *lines_of(outcomes)])]
    return "\n".join([*lines, *answers(section)])


def with_section(page: str, section: Section) -> str:
    """Return the page with this section added, or in place of its namesake."""
    question = QUESTIONS[section.question]
    introduction = "\n\n".join(
        [
            f"# {question.title}",
            question.introduction,
            PROTOCOL.format(name=section.question) + "\n",
        ]
    )
    return page_with_section(page, introduction, _markdown(section))


def _markdown(section: Section) -> str:
    lines = [section.title, "", *(f"- {answer}" for answer in answers(section)), ""]
    lines += [_setting(section), ""]
    for name, outcomes in section.outcomes.items():
        lines += [f"### {name}", "", f"Settings: `{section.parameters[name]}`.", ""]
        lines += [*table(HEAD, lines_of(outcomes)), ""]
    return "\n".join(lines)


def _setting(section: Section) -> str:
    return (
        f"Fitted on {len(section.fitting)} weeks from {section.fitting[0]} to "
        f"{section.fitting[-1]}, judged on {len(section.judged)} from "
        f"{section.judged[0]} to {section.judged[-1]}; version {section.version}."
    )


def _difference(outcome: Outcome) -> str:
    if math.isnan(outcome.difference[0]):
        return "-"
    is_clear = outcome.is_worse or outcome.is_better
    return f"{_interval(outcome.difference)}{' *' if is_clear else ''}"


def _interval(bounds: tuple[float, float, float]) -> str:
    value, low, high = bounds
    return f"{value:+.5f} ({low:+.5f}..{high:+.5f})"
