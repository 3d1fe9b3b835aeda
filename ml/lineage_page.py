"""The page with the lineage of all columns: one file that asks nobody for anything."""

from __future__ import annotations

import json
from pathlib import Path

from ml.columns import ColumnLineage

TEMPLATE = Path(__file__).with_suffix(".html")


def page(lineage: ColumnLineage) -> str:
    """Return the page as HTML.

    Values reach it as JSON in a script and are shown as text, so nothing in a name or a
    description is taken for HTML.
    """
    numbers = {column: number for number, column in enumerate(sorted(lineage.parents))}
    data = {
        "columns": [
            {
                "table": column.table,
                "name": column.name,
                "note": lineage.note(column.table),
                "description": " ".join(lineage.descriptions[column].split()),
                "parents": [numbers[parent] for parent in lineage.parents[column]],
            }
            for column in numbers
        ],
        "unresolved": lineage.unresolved,
    }
    text = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    return TEMPLATE.read_text(encoding="utf-8").replace("{{ data }}", text)
