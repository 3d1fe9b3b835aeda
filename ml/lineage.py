"""Show which columns a column is computed from, or what is computed from it."""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ml import cli
from ml.columns import Column, ColumnLineage, column_lineage
from ml.files import write_whole
from ml.lineage_page import page
from ml.manifest import read_manifest

EXAMPLE = "example: python -m ml.lineage --column ml.scoring_pairs.user_spend_yen"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("lineage", __doc__, EXAMPLE)
    parser.add_argument("--column", metavar="SCHEMA.TABLE.COLUMN", help="what to show")
    parser.add_argument(
        "--down", action="store_true", help="what is made from the column"
    )
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="write a page with all columns"
    )
    parser.add_argument(
        "--manifest",
        type=Path,
        metavar="FILE",
        help="compiled manifest of dbt, as in target/ (default: compile the project)",
    )
    options = parser.parse_args(arguments)
    if not options.column and not options.write:
        parser.error("one of --column and --write is needed")
    return cli.run(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    cli.check_writable(options.write)
    if options.manifest:
        manifest = _read(options.manifest)
    else:
        print("compiling the project", file=sys.stderr)
        manifest = read_manifest(compiled=True)
    lineage = column_lineage(manifest)
    for table, reason in lineage.unresolved.items():
        print(f"the SQL of {table} could not be read: {reason}", file=sys.stderr)
    if options.column:
        column = find(lineage, options.column)
        print("\n".join(lines(lineage, column, options.down)))
    if options.write:
        write_whole(options.write, page(lineage))
        print(f"{len(lineage.parents)} columns written to {options.write}")


def _read(path: Path) -> dict:
    """Read a manifest that `dbt docs generate` or `dbt compile` has written."""
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise cli.CommandError(f"--manifest: {path} cannot be read: {error}") from error
    models = [
        node
        for node in manifest.get("nodes", {}).values()
        if node["resource_type"] == "model"
    ]
    if not models or not all(node.get("compiled_code") for node in models):
        raise cli.CommandError(
            f"--manifest: {path} holds no compiled models; run `dbt compile` first."
        )
    return manifest


def find(lineage: ColumnLineage, text: str) -> Column:
    """Return the column of a name like `core.dim_users.user_id`; case does not count.

    Raises
    ------
    CommandError
        There is no such column; the message names similar ones.
    """
    names = {str(column).lower(): column for column in lineage.parents}
    if text.lower() in names:
        return names[text.lower()]
    similar = difflib.get_close_matches(text.lower(), names, n=3)
    hint = f"; similar: {', '.join(str(names[name]) for name in similar)}"
    raise cli.CommandError(
        f"there is no column {text}, written as schema.table.column"
        + (hint if similar else "")
        + "."
    )


def lines(lineage: ColumnLineage, column: Column, down: bool = False) -> Iterator[str]:
    """Yield the tree of a column, two blanks a step; nothing is repeated."""
    steps = lineage.children() if down else lineage.parents
    yield from _branch(lineage, steps, column, 0, set())


def _branch(
    lineage: ColumnLineage,
    steps: Mapping[Column, list[Column]],
    column: Column,
    depth: int,
    seen: set[Column],
) -> Iterator[str]:
    words = lineage.note(column.table)
    note = f"  ({words})" if words else ""
    if column in seen and steps[column]:
        note += "  (see above)"
    elif column.table in lineage.unresolved:
        note += "  (its SQL could not be read)"
    yield f"{'  ' * depth}{column}{note}"
    if column in seen:
        return
    seen.add(column)
    for following in steps[column]:
        yield from _branch(lineage, steps, following, depth + 1, seen)


if __name__ == "__main__":
    sys.exit(main())
