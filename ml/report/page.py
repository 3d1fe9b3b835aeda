"""The page: all pictures, sentences and tables in one file that asks nobody."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path

import vl_convert
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from ml.report import charts, words
from ml.report.data import Row
from ml.report.facts import FACTS, Data, name
from ml.report.scorecard import Line
from ml.report.words import LANGUAGES, Text, both

TEMPLATE = Path(__file__).with_name("page.html")
#: A table behind a picture shows so many rows; the queries give the rest.
MOST_ROWS = 120
#: Columns of the queries that tables leave out.
NOT_SHOWN = {"run_id", "model_file", "code_version", "user_hash", "is_default"}


#: Headings of lists whose cells have their units themselves.
HEADS = {
    "genre_en": "genre",
    "coupon_prefecture_en": "coupon_prefecture",
    "discount_price_yen": "price",
    "discount_rate_percent": "discount",
}


@dataclass(frozen=True)
class Cell:
    """One cell of a table; `kind` is its class in the page: number, reasons or none."""

    text: Text
    kind: str = ""


@dataclass(frozen=True)
class Example:
    """The list of one example user."""

    title: Text
    head: Sequence[Text]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Picture:
    """One picture of the page with what is said about it and the table behind it.

    Without rows it is empty, and the note says which command fills it.
    """

    name: str
    section: str
    is_empty: bool
    is_chart: bool
    title: Text
    text: Text
    note: Text | None
    head: Sequence[Text]
    rows: Sequence[Sequence[Cell]]
    lists: Sequence[Example]


def pictures(data: Data) -> list[Picture]:
    """Return the pictures of texts.yml in its order, with their sentences."""
    return [_picture(name, entry, data) for name, entry in _entries()]


def _entries() -> Iterable[tuple[str, dict]]:
    return words.texts()["pictures"].items()


def rows_of(picture: str, data: Data) -> list[Row]:
    """Return the rows of the query behind a picture."""
    return data[words.texts()["pictures"][picture].get("query", picture)]


def _picture(picture: str, entry: dict, data: Data) -> Picture:
    rows = rows_of(picture, data)
    if not rows:
        empty = words.texts()["page"]["empty"]
        names = entry.get("name", both(picture))
        fills = entry.get("fills", "make run")
        note = {
            language: empty[language].format(name=names[language], fills=fills)
            for language in LANGUAGES
        }
        return Picture(
            *(picture, entry["section"], True, False),
            *(both(""), both(""), note, [], [], []),
        )
    facts = FACTS[picture](rows, data)
    head, cells = table(rows)
    return Picture(
        picture,
        entry["section"],
        False,
        picture in charts.CHARTS,
        words.sentence(entry["title"], facts),
        words.sentence(entry["text"], facts),
        _cut_note(len(rows)),
        head,
        cells[:MOST_ROWS],
        examples(rows) if picture == "recommendations" else [],
    )


def _cut_note(n_rows: int) -> Text | None:
    if n_rows <= MOST_ROWS:
        return None
    template = words.texts()["page"]["more_rows"]
    return {
        language: template[language].format(shown=MOST_ROWS, all=n_rows)
        for language in LANGUAGES
    }


def table(rows: Sequence[Row]) -> tuple[list[Text], list[list[Cell]]]:
    """Return heading and cells of rows; a column in two languages becomes one."""
    columns = [
        column
        for column in rows[0]
        if column not in NOT_SHOWN and not column.endswith("_ko")
    ]
    head = [words.column(column.removesuffix("_en")) for column in columns]
    return head, [[_cell(row, column) for column in columns] for row in rows]


def _cell(row: Row, column: str) -> Cell:
    value = row[column]
    if column == "reasons":
        return Cell(words.reasons(value), "reasons")
    if column == "day_of_week":
        return Cell(words.word(f"weekday_{value}"))
    if value is not None and column.endswith("_en"):
        return Cell(name(row, column.removesuffix("_en")))
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return Cell(_value(value), "number" if is_number else "")


def _value(value: object) -> Text:
    """Return a value as tables show it."""
    if value is None:
        return both("-")
    if isinstance(value, bool):
        return words.word("yes" if value else "no")
    if isinstance(value, int):
        return both(f"{value:,}")
    return both(_short(value)) if isinstance(value, float) else words.word(value)


def _short(value: float) -> str:
    """Return a number with as many digits as tell something."""
    if math.isnan(value):
        return "-"
    if value == int(value) and abs(value) < 1e12:
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 1000 else f"{value:.4g}"


def examples(rows: Sequence[Row]) -> list[Example]:
    """Return a list per example user, under a line that says who it is."""
    shown = ("rank", "genre_en", "coupon_prefecture_en", "discount_price_yen")
    shown += ("discount_rate_percent", "score", "reasons")
    head = [words.column(HEADS.get(column, column)) for column in shown]
    template = words.texts()["page"]["user"]
    found = []
    for _, group in groupby(rows, key=lambda row: row["user_hash"]):
        of_user = list(group)
        first = of_user[0]
        title = {
            language: words.sentence(
                template,
                first
                | {
                    "sex_word": words.word(first["sex"])[language],
                    "prefecture": first[f"prefecture_{language}"],
                },
            )[language]
            for language in LANGUAGES
        }
        cells = [[_with_unit(row, column) for column in shown] for row in of_user]
        found.append(Example(title, head, cells))
    return found


def _with_unit(row: Row, column: str) -> Cell:
    """Return a cell of a list, which on a phone stands without its heading."""
    value = row[column]
    units = words.texts()["page"]["units"]
    if value is None or column not in units:
        return _cell(row, column)
    return Cell(words.sentence(units[column], {"value": value}), "number")


def as_json(value: object) -> Markup:
    """Return JSON that may stand within a script of a page, whatever its strings hold.

    The HTML parser ends a script at its end tag even within a string, so the
    characters of markup are written as escapes, as are the two line ends that
    JavaScript knows and JSON does not.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


@cache
def library() -> Markup:
    """Return Vega, Vega-Lite and vega-embed as one script, from the package."""
    script = vl_convert.javascript_bundle()
    return Markup(script.replace("</script", "<\\/script"))


def specifications(shown: Sequence[Picture], data: Data) -> dict[str, dict[str, dict]]:
    """Return the charts by picture and language."""
    return {
        picture.name: {
            language: charts.specification(
                picture.name,
                rows_of(picture.name, data),
                language,
                f"{picture.title[language]}. {picture.text[language]}",
            )
            for language in LANGUAGES
        }
        for picture in shown
        if picture.is_chart
    }


def page(
    data: Data,
    shown: Sequence[Picture],
    scorecard: Sequence[Line],
    is_synthetic: bool,
    footer: str,
) -> str:
    """Return the page as HTML; every value is escaped where it stands."""
    texts = words.texts()
    (totals,) = data["totals"]
    environment = Environment(
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        title=texts["page"]["title"],
        titles=as_json(texts["page"]["title"]),
        about=words.sentence(texts["page"]["about"], totals),
        words=texts["page"],
        is_synthetic=is_synthetic,
        sections=[
            {
                "name": section,
                "title": title,
                "pictures": [p for p in shown if p.section == section],
            }
            for section, title in texts["sections"].items()
        ],
        scorecard=scorecard,
        scorecard_head=[
            words.column(column)
            for column in ("criterion", "bar", "measured", "verdict")
        ],
        summary=summary(scorecard),
        verdicts={
            verdict: words.word(verdict) for verdict in ("pass", "fail", "not_measured")
        },
        charts=as_json(specifications(shown, data)),
        library=library(),
        footer=footer,
    )


def summary(scorecard: Sequence[Line]) -> Text:
    """Return how many criteria are reached, and which are not."""
    failed = [line.title for line in scorecard if line.verdict == "fail"]
    facts = {
        "n_all": len(scorecard),
        "n_passed": sum(line.verdict == "pass" for line in scorecard),
        "n_unknown": sum(line.verdict == "not_measured" for line in scorecard),
        "failed": words.listed(failed) if failed else None,
    }
    return words.sentence(words.texts()["page"]["scorecard"], facts)
