"""Tables for the pages that commands write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


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
