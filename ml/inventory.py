"""Write the inventory of columns: files, what staging makes of them, and core.

For every column of the files its type after staging, what was done about nulls and
about cells that hold more than one value, and the columns of core that it goes into;
for every column of core its type and what null means. All of it is taken from the YAML
and from the SQL of the models. Prints the page unless told to write it.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ml import cli
from ml.columns import Column, ColumnLineage, column_lineage
from ml.files import write_whole
from ml.manifest import is_not_null, last_sentence, models, read_manifest
from ml.markdown import table

EXAMPLE = "example: python -m ml.inventory --write docs/columns.md"

PAGE = Path("docs/columns.md")
#: What is compiled: core and all that it is made of.
CORE = "+path:models/marts/core"
STAGED, IN_CORE = "staging", "core"
#: The column that says whether a row contradicts itself: of the row, not of a column.
FLAG = "contradiction"
NEVER_ABSENT = "the row goes to quarantine"
ONE_VALUE = "one value"
NEVER_NULL = "never null"


@dataclass(frozen=True)
class FileColumn:
    """What becomes of one column of a file.

    Attributes
    ----------
    staged
        Columns of staging with their types.
    nulls, cells
        What the YAML says of absent values, and of more than one value in a cell;
        empty if it should say something and does not.
    core
        Columns of core that are computed from it.
    """

    name: str
    staged: tuple[tuple[str, str], ...]
    nulls: str
    cells: str
    core: tuple[str, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("inventory", __doc__, EXAMPLE)
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page")
    options = parser.parse_args(arguments)
    return cli.run(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    cli.check_writable(options.write)
    manifest = read_manifest(compiled=True, select=CORE)
    lacking = unstated(manifest)
    if lacking:
        raise cli.CommandError(
            f"the YAML does not say what null means in {', '.join(lacking)}: add "
            "`nulls` (files) or `null_means` (core) to the column's meta."
        )
    page = markdown(manifest)
    if options.write is None:
        print(page, end="")
    else:
        write_whole(options.write, page)
        print(f"{options.write} written")


def unstated(manifest: dict) -> list[str]:
    """Return the columns of files and core that may be null, and no YAML says why."""
    lacking = []
    for source in files_of(manifest):
        complete = _complete_columns(manifest, source)
        lacking += [
            f"{source['name']}.{column['name']}"
            for column in _columns_of(source)
            if not _nulls(column, complete)
        ]
    for node in core_of(manifest):
        lacking += [
            f"{node['name']}.{column['name']}"
            for column in node["columns"].values()
            if not _null_means(column)
        ]
    return lacking


def files_of(manifest: dict) -> list[dict]:
    """Return the sources that are files of the competition, in the YAML's order."""
    return [
        source
        for source in manifest["sources"].values()
        if not source["config"]["meta"].get("loader")
    ]


def core_of(manifest: dict) -> list[dict]:
    """Return the models of core by name."""
    found = models(manifest)
    return [found[name] for name in sorted(found) if found[name]["schema"] == IN_CORE]


def file_columns(
    manifest: dict, source: dict, lineage: ColumnLineage
) -> list[FileColumn]:
    """Return what becomes of the columns of a file, in its order."""
    types = {
        Column(f"{STAGED}.{node['name']}", column["name"]): column["data_type"]
        for node in models(manifest).values()
        if _is_staged(node)
        for column in node["columns"].values()
    }
    children = lineage.children()
    complete = _complete_columns(manifest, source)
    found = []
    for column in _columns_of(source):
        made = [
            made
            for made in _descendants(
                Column(f"{source['schema']}.{source['name']}", column["name"]), children
            )
            if made.name != FLAG
        ]
        found.append(
            FileColumn(
                column["name"],
                tuple((c.name, types[c]) for c in made if c in types),
                _nulls(column, complete),
                _line(column["config"]["meta"].get("cells", ONE_VALUE)),
                tuple(
                    str(c).removeprefix(f"{IN_CORE}.")
                    for c in made
                    if c.table.startswith(f"{IN_CORE}.")
                ),
            )
        )
    return found


def markdown(manifest: dict) -> str:
    """Return the page; the manifest holds the SQL of core and what it is made of."""
    lineage = column_lineage(_compiled_part(manifest))
    lines = [
        "# Columns",
        "",
        "Written by `python -m ml.inventory --write docs/columns.md` from the YAML and "
        "the SQL of the models; change it there. In the files every column is text: NA "
        "is read as null, an empty field as an empty text, and staging trims texts, "
        "makes empty ones null, and casts and renames each column once. No absent "
        "value is filled in: null stays null or becomes a value of its own, and "
        "features say what null means in `docs/features.md`. What a row must hold, "
        "and `contradiction`, which most columns go into, is in `docs/input.md`.",
        "",
        "## Types",
        "",
        *table(
            ("table", "columns", "types"),
            (
                (
                    f"`{node['schema']}.{node['name']}`",
                    str(len(node["columns"])),
                    _types(node),
                )
                for node in _staging_and_core(manifest)
            ),
            numbers=False,
        ),
        "",
        "## From the files to core",
    ]
    for source in files_of(manifest):
        lines += ["", f"### {source['name']}", "", _line(source["description"]), ""]
        lines += table(
            ("column", "staged as", "absent values", "in a cell", "goes into"),
            (_file_row(row) for row in file_columns(manifest, source, lineage)),
            numbers=False,
        )
    lines += ["", "## Core"]
    for node in core_of(manifest):
        lines += ["", f"### {node['name']}", "", last_sentence(node["description"]), ""]
        lines += table(
            ("column", "type", "null means"),
            (
                (f"`{c['name']}`", c["data_type"], _null_means(c))
                for c in node["columns"].values()
            ),
            numbers=False,
        )
    return "\n".join(lines) + "\n"


def _file_row(column: FileColumn) -> tuple[str, ...]:
    return (
        f"`{column.name}`",
        ", ".join(f"`{name}` {data_type}" for name, data_type in column.staged),
        column.nulls,
        column.cells,
        ", ".join(f"`{name}`" for name in column.core),
    )


def _staging_and_core(manifest: dict) -> list[dict]:
    nodes = [
        node
        for node in models(manifest).values()
        if (_is_staged(node) or node["schema"] == IN_CORE) and not _is_about_files(node)
    ]
    return sorted(nodes, key=lambda node: (node["schema"] == IN_CORE, node["name"]))


def _is_staged(node: dict) -> bool:
    """Whether a model holds the accepted rows of a file, not what is thought of each.

    Models `checked_*` judge the rows, models `stg_*` hold those that passed.
    """
    return node["schema"] == STAGED and node["name"].startswith("stg_")


def _is_about_files(node: dict) -> bool:
    """Whether a model tells of the files and holds none of their columns."""
    return any(".source_files" in parent for parent in node["depends_on"]["nodes"])


def _types(node: dict) -> str:
    counts = Counter(column["data_type"] for column in node["columns"].values())
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{n} {name}" for name, n in ordered)


def _compiled_part(manifest: dict) -> dict:
    """Return the manifest with those models only whose SQL was compiled."""
    nodes = {
        key: node
        for key, node in manifest["nodes"].items()
        if node["resource_type"] != "model" or node.get("compiled_code")
    }
    return manifest | {"nodes": nodes}


def _columns_of(source: dict) -> list[dict]:
    """Return the columns of a file, without those that the loader adds."""
    return [
        column
        for column in source["columns"].values()
        if not column["config"]["meta"].get("loader")
    ]


def _complete_columns(manifest: dict, source: dict) -> set[str]:
    """Return the columns of a file whose rows are refused if they lack a value."""
    rules = "".join(
        node.get("compiled_code") or ""
        for node in models(manifest).values()
        if source["unique_id"] in node["depends_on"]["nodes"]
    )
    return {
        column["name"]
        for column in _columns_of(source)
        if f"'{column['name']} is missing'" in rules
    }


def _descendants(
    column: Column, children: dict[Column, list[Column]]
) -> Iterable[Column]:
    """Return the columns computed from one, the nearest first, each once."""
    found: dict[Column, None] = {}
    waiting = [column]
    while waiting:
        for child in sorted(children[waiting.pop(0)]):
            if child not in found:
                found[child] = None
                waiting.append(child)
    return list(found)


def _nulls(column: dict, complete: set[str]) -> str:
    if column["name"] in complete:
        return NEVER_ABSENT
    return _line(column["config"]["meta"].get("nulls", ""))


def _null_means(column: dict) -> str:
    if is_not_null(column):
        return NEVER_NULL
    return _line(column["config"]["meta"].get("null_means", ""))


def _line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    sys.exit(main())
