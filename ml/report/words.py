"""Words of the report in English and Korean, and sentences with figures in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml
from jinja2 import Environment, StrictUndefined

from ml.markdown import escaped

LANGUAGES = ("en", "ko")
#: What the lines of a template leave behind; a space that holds together stays.
SPACES = re.compile(r"[ \n]+")
#: Where a page may break a line although a Korean particle follows.
BEFORE_PARTICLE = re.compile("(?<=[%)])(?=[가-힣])")
#: A text in both languages.
Text = dict[str, str]


@cache
def _read(name: str) -> dict:
    path = Path(__file__).parent / name
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def texts() -> dict:
    """Return texts.yml."""
    return _read("texts.yml")


def bars() -> list[dict]:
    """Return bars.yml."""
    return _read("bars.yml")


def slides() -> list[dict]:
    """Return slides.yml."""
    return _read("slides.yml")


def column(name: str) -> Text:
    """Return the heading of a column."""
    return _read("words.yml")["columns"].get(name) or both(name)


def word(value: object) -> Text:
    """Return the words for a value: of a model, a slice, a measure."""
    return _read("words.yml")["values"].get(str(value)) or both(str(value))


def all_values() -> dict[str, Text]:
    """Return the words of all values, in the order of words.yml."""
    return _read("words.yml")["values"]


def reasons(text: str | None) -> Text:
    """Return the reasons of a recommendation, which tables hold in English."""
    if not text:
        return both("")
    korean = _read("words.yml")["reasons"]
    parts = text.split("; ")
    return {"en": text, "ko": "; ".join(korean.get(part, part) for part in parts)}


def both(text: str) -> Text:
    """Return a text that is the same in both languages."""
    return dict.fromkeys(LANGUAGES, text)


def listed(values: list[Text]) -> Text:
    """Return the values joined by commas."""
    return {
        language: ", ".join(value[language] for value in values)
        for language in LANGUAGES
    }


def number(value: float | None, digits: int = 0) -> str:
    """Return a number with separators of thousands."""
    return "-" if value is None else f"{value:,.{digits}f}"


def percent(value: float | None, digits: int = 0) -> str:
    """Return a share in percent; one near nothing or all keeps a digit that tells."""
    if value is None:
        return "-"
    from_end = 100 * min(value, 1 - value)
    while 0 < from_end < 0.5 * 10**-digits and digits < 4:
        digits += 1
    return f"{100 * value:.{digits}f} %"


def signed(value: float | None, digits: int) -> str:
    """Return a number with its sign."""
    return (
        "-" if value is None else f"{value:+.{digits}f}".replace("-", "\N{MINUS SIGN}")
    )


@cache
def _environment(language: str, markdown: bool) -> Environment:
    # plain text; the page escapes what it takes in, Markdown can't by itself
    environment = Environment(
        undefined=StrictUndefined,
        autoescape=False,
        finalize=escaped if markdown else None,
    )
    environment.filters["n"] = number
    environment.filters["num"] = number
    environment.filters["signed"] = signed
    environment.filters["first_upper"] = lambda text: text[:1].upper() + text[1:]
    # Korean writes the sign without a space
    environment.filters["pct"] = lambda value, digits=0: percent(value, digits).replace(
        " ", "\N{NO-BREAK SPACE}" if language == "en" else ""
    )
    return environment


def sentence(
    template: Text, facts: Mapping[str, object], markdown: bool = False
) -> Text:
    """Return a template's text in both languages, its figures taken from facts.

    Parameters
    ----------
    markdown
        Whether the text goes into a Markdown file, where values are escaped.

    Raises
    ------
    jinja2.UndefinedError
        The template asks for a fact that is not there.
    """
    found = {
        language: SPACES.sub(
            " ",
            _environment(language, markdown)
            .from_string(template[language])
            .render(facts, lang=language),
        ).strip()
        for language in LANGUAGES
    }
    if not markdown:
        found["ko"] = BEFORE_PARTICLE.sub("\N{WORD JOINER}", found["ko"])
    return found
