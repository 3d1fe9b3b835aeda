"""Tables and sections for the pages that commands write, and text that stays text.

What a file holds may look like markup, like a command to a terminal, or be a million
characters long. It is stored as it is; where it is shown it passes through here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ml import settings

#: Characters of a value that are shown; what follows is cut off.
MOST_CHARACTERS = 400
#: What Markdown or HTML would take for more than text, and what ends a line or steers a
#: terminal; names of columns keep their _.
MARKS = re.compile(r"[<>&`*|\[\]\\\x00-\x1f\x7f-\x9f\u2028\u2029]")
#: What ends a line, steers a terminal, or turns the direction of what follows.
STEERING = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def cut(text: str) -> str:
    """Return a text as it is, or its beginning and an ellipsis if it is long."""
    if len(text) <= MOST_CHARACTERS:
        return text
    return text[: MOST_CHARACTERS - 1] + "\N{HORIZONTAL ELLIPSIS}"


def escaped(text: object) -> str:
    """Return a text whose characters mean nothing to Markdown or HTML."""
    return MARKS.sub(lambda mark: f"&#{ord(mark[0])};", str(text))


def printable(text: str) -> str:
    """Return a text as one line that does nothing to a terminal but stand there."""
    return STEERING.sub(
        lambda found: found[0].encode("unicode_escape").decode("ascii"), cut(text)
    )


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], numbers: bool = True
) -> list[str]:
    """Return the lines of a table; a bar within a cell becomes a slash.

    Cells are Markdown: values of the data come through :func:`escaped`.

    Parameters
    ----------
    numbers
        Whether all columns but the first hold numbers, which stand to the right.
    """
    ruler = ["---"] + ["---:" if numbers else "---"] * (len(head) - 1)
    return [
        f"| {' | '.join(cell.replace('|', '/') for cell in row)} |"
        for row in (head, ruler, *rows)
    ]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table for a terminal, its head among the rows."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  "
        + "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def with_section(page: str, introduction: str, section: str) -> str:
    """Return the page with this section added, or in place of its namesake.

    Parameters
    ----------
    introduction
        What stands above the sections, title and all: always written anew.
    section
        Its first line is its title, without the marks of a heading.
    """
    title = section.split("\n", maxsplit=1)[0]
    parts = page.split("\n## ") if page else []
    others = [part for part in parts[1:] if part.split("\n")[0] != title]
    return "\n## ".join([introduction, *others, section])


def data_title(n_users: int) -> str:
    """Return the title of a section about the data in use: what they are, how many."""
    kind = "Synthetic sample" if settings.is_synthetic() else "Real data"
    return f"{kind}, {n_users:,} users"
