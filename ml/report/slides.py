"""The slides: the report's figures in the order of a presentation, as Markdown.

Slides are parted by rules, as Marp, Pandoc and reveal.js take them. Their pictures are
SVG files beside them.
"""

from __future__ import annotations

from collections.abc import Sequence

import vl_convert

from ml.markdown import escaped
from ml.report import charts, words
from ml.report.facts import FACTS, Data
from ml.report.page import Picture, rows_of, summary
from ml.report.scorecard import Line
from ml.report.words import Text

#: Directory of the pictures, beside the slides.
PICTURES = "pictures"


def slides(
    data: Data,
    shown: Sequence[Picture],
    scorecard: Sequence[Line],
    is_synthetic: bool,
) -> Text:
    """Return the slides in both languages; values of the data stay text in them."""
    facts = _facts(data, scorecard, is_synthetic)
    by_name = {picture.name: picture for picture in shown if not picture.is_empty}
    title = words.texts()["page"]["title"]
    parts: dict[str, list[str]] = {
        language: [f"# {title[language]}"] for language in words.LANGUAGES
    }
    for slide in words.slides():
        points = [
            words.sentence(point, facts, markdown=True) for point in slide["points"]
        ]
        for language, pages in parts.items():
            lines = [f"## {slide['title'][language]}", ""]
            lines += [f"- {point[language]}" for point in points if point[language]]
            for name in slide.get("pictures", []):
                if name in by_name:
                    caption = escaped(by_name[name].title[language])
                    lines += ["", f"![{caption}]({picture_file(name, language)})"]
                    lines += ["", f"*{caption}*"]
            pages.append("\n".join(lines))
    return {
        language: "\n\n---\n\n".join(pages) + "\n" for language, pages in parts.items()
    }


def picture_file(name: str, language: str) -> str:
    """Return the file of a picture, from the directory of the slides."""
    return f"{PICTURES}/{name}.{language}.svg"


def slide_pictures(data: Data, shown: Sequence[Picture]) -> dict[str, str]:
    """Return the SVG of every picture of the slides by its file."""
    wanted = {name for slide in words.slides() for name in slide.get("pictures", [])}
    drawn = {}
    for picture in shown:
        if picture.name in wanted and not picture.is_empty:
            for language in words.LANGUAGES:
                specification = charts.specification(
                    picture.name,
                    rows_of(picture.name, data),
                    language,
                    picture.title[language],
                )
                drawn[picture_file(picture.name, language)] = _svg(specification)
    return drawn


def _svg(specification: dict) -> str:
    """Draw a picture at the width of a slide."""
    sized = charts.with_width(specification, charts.SLIDE_WIDTH)
    # no address may be asked: the data stand in the specification
    return vl_convert.vegalite_to_svg(sized, allowed_base_urls=[])


def _facts(data: Data, scorecard: Sequence[Line], is_synthetic: bool) -> dict:
    """Return the facts of all pictures by name, None for those without rows."""
    failed = [line.title for line in scorecard if line.verdict == "fail"]
    of_pictures = {}
    for name, function in FACTS.items():
        rows = rows_of(name, data)
        of_pictures[name] = function(rows, data) if rows else None
    return of_pictures | {
        "totals": data["totals"][0],
        "quality": data["data_quality"][0],
        "misses": data["misses"][0] if data["misses"] else None,
        "is_synthetic": is_synthetic,
        "scorecard": summary(scorecard),
        "failed": words.listed(failed) if failed else None,
    }
