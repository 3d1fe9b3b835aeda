"""Tables and sections for the pages that commands write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ml import settings


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], numbers: bool = True
) -> list[str]:
    """Return the lines of a table; a bar within a cell becomes a slash.

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
