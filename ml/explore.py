"""Answer the questions of analyses/ on the built warehouse.

Lists the questions; with names runs their SQL and prints the rows; with --write makes
a page of all of them: question, answer in brief, first rows.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ml import cli, settings
from ml.files import write_whole
from ml.manifest import read_manifest
from ml.markdown import aligned, cut, escaped, table
from ml.warehouse import Warehouse, open_warehouse

EXAMPLE = (
    "examples: python -m ml.explore\n"
    "          python -m ml.explore price_discounts buyer_distances --rows 20\n"
    "          python -m ml.explore --write docs/exploration.md"
)

ANALYSES = "path:analyses"
QUESTION = "-- question: "
#: Rows of each answer that the page shows, and that a terminal shows unless asked.
PAGE_ROWS = 13
TERMINAL_ROWS = 40
BRIEF_SENTENCES = 2
NO_ROWS = "no rows: these files hold nothing that the question could be asked of"


@dataclass(frozen=True)
class Question:
    """One file of analyses/.

    Attributes
    ----------
    text
        The question in words, as the first line of the file asks it.
    brief
        First sentences of the answer that the file's comments give.
    columns
        Names of the columns of the answer, as the YAML lists them.
    keys
        Those that together tell the rows apart.
    shown
        Value of a column, or list of values, of the rows that a page shows; all rows
        if empty.
    sql
        Compiled for the warehouse in use.
    """

    name: str
    text: str
    brief: str
    description: str
    columns: tuple[str, ...]
    keys: tuple[str, ...]
    shown: dict[str, object]
    sql: str


@dataclass(frozen=True)
class Answer:
    """Rows of a question, in the order of its SQL."""

    columns: tuple[str, ...]
    rows: list[tuple]

    def chosen(self, shown: dict[str, object]) -> Answer:
        """Return the rows whose columns have the given value, or one of a list."""
        wanted = {
            self.columns.index(name): value if isinstance(value, list) else [value]
            for name, value in shown.items()
        }
        return Answer(
            self.columns,
            [
                row
                for row in self.rows
                if all(row[place] in values for place, values in wanted.items())
            ],
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("explore", __doc__, EXAMPLE)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="questions to answer, by name"
    )
    parser.add_argument(
        "--rows",
        type=_n_rows,
        default=TERMINAL_ROWS,
        metavar="N",
        help="rows to print of each answer (default: %(default)s)",
    )
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="write the page of all questions"
    )
    options = parser.parse_args(arguments)
    return cli.run(lambda: _run(options))


def _n_rows(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of rows from 1 on")
    return int(text)


def _run(options: argparse.Namespace) -> None:
    if options.write is not None and options.names:
        raise cli.CommandError("--write makes a page of all questions: name none.")
    cli.check_writable(options.write)
    found = questions(read_manifest(compiled=True, select=ANALYSES))
    unknown = sorted(set(options.names) - {question.name for question in found})
    if unknown:
        raise cli.CommandError(
            f"no question is called {', '.join(unknown)}: run `python -m ml.explore` "
            "to see their names."
        )
    if options.write is not None:
        check_may_be_published(options.write)
        with open_warehouse(read_only=True) as warehouse:
            answers = [answer(warehouse, question) for question in found]
        write_whole(options.write, markdown(found, answers))
        print(f"{options.write} written")
    elif options.names:
        by_name = {question.name: question for question in found}
        with open_warehouse(read_only=True) as warehouse:
            for name in dict.fromkeys(options.names):
                question = by_name[name]
                lines = terminal(question, answer(warehouse, question), options.rows)
                print("\n".join(lines))
    else:
        rows = [(question.name, question.text) for question in found]
        print("\n".join(aligned(rows)))


def check_may_be_published(path: Path) -> None:
    """Raise CommandError for a page in docs/ whose rows are not of sample data."""
    docs = settings.PROJECT_DIR / "docs"
    if docs in path.resolve().parents and not settings.is_synthetic():
        raise cli.CommandError(
            f"{path}: pages in docs/ show sample data only; set PONPARE_DATA_DIR to a "
            "sample, or write the page elsewhere."
        )


def questions(manifest: dict) -> list[Question]:
    """Return the questions of a manifest with compiled analyses, by name."""
    found = []
    for node in manifest["nodes"].values():
        if node["resource_type"] != "analysis":
            continue
        text, brief = read_comment(node["raw_code"])
        columns = node["columns"].values()
        found.append(
            Question(
                node["name"],
                text,
                brief,
                " ".join(node["description"].split()),
                tuple(column["name"] for column in columns),
                tuple(
                    column["name"]
                    for column in columns
                    if column["config"]["meta"].get("role") == "key"
                ),
                node["config"]["meta"].get("shown", {}),
                node["compiled_code"],
            )
        )
    return sorted(found, key=lambda question: question.name)


def read_comment(sql: str) -> tuple[str, str]:
    """Return the question of a file and its answer in brief.

    The first line asks, the first paragraph of comments below it answers; of that the
    first sentences are taken.
    """
    first, _, rest = sql.removeprefix(QUESTION).partition("\n")
    words: list[str] = []
    for line in rest.splitlines():
        comment = line.removeprefix("--").strip()
        if not line.startswith("--") or (words and not comment):
            break
        words += comment.split()
    sentences = re.split(r"(?<=[.?])\s+(?=[A-Z`0-9])", " ".join(words))
    return first.strip(), " ".join(sentences[:BRIEF_SENTENCES])


def answer(warehouse: Warehouse, question: Question) -> Answer:
    """Run a question.

    Raises
    ------
    CommandError
        Its SQL fails, most likely because the warehouse is older than the project.
    """
    try:
        cursor = warehouse.connection.execute(question.sql)
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise cli.CommandError(
            f"{question.name} cannot be answered: {reason} Run `dbt build` so that "
            "the warehouse is as new as the project."
        ) from error
    return Answer(tuple(name for name, *_ in cursor.description), cursor.fetchall())


def terminal(question: Question, found: Answer, n_rows: int) -> list[str]:
    """Return the lines that a terminal shows: question, brief answer, first rows."""
    lines = [f"{question.name}: {question.text}", "", question.brief, ""]
    if not found.rows:
        return [*lines, f"  ({NO_ROWS})", ""]
    lines += aligned([found.columns, *_cells(found.rows[:n_rows])])
    return [*lines, *_left_out(len(found.rows), n_rows), ""]


def markdown(found: Sequence[Question], answers: Sequence[Answer]) -> str:
    """Return the page of all questions with their answers."""
    lines = [
        "# Questions to the data",
        "",
        "Written by `python -m ml.explore --write docs/exploration.md`; each question "
        "is a file of `analyses/` and can be asked of your own files with "
        "`python -m ml.explore NAME`. The words are the beginning of the comment at "
        "the top of the file, which goes on there: they speak of the competition's "
        f"files, in totals and shares. {_origin()}",
        "",
        *table(
            ("question", "in words"),
            ((f"[{q.name}](#{q.name})", q.text) for q in found),
            numbers=False,
        ),
    ]
    for question, rows in zip(found, answers, strict=True):
        lines += ["", *section(question, rows)]
    return "\n".join(lines) + "\n"


def section(question: Question, found: Answer) -> list[str]:
    """Return the lines of a page about one question."""
    lines = [
        f"## {question.name}",
        "",
        f"**{question.text[0].upper()}{question.text[1:]}** {question.brief}",
        "",
        question.description,
        "",
    ]
    if not found.rows:
        return [*lines, f"({NO_ROWS})"]
    chosen = found.chosen(question.shown)
    cells = [
        [escaped(cut(cell)) for cell in row] for row in _cells(chosen.rows[:PAGE_ROWS])
    ]
    lines += table(chosen.columns, cells, numbers=False)
    left_out = _left_out(len(found.rows), min(len(chosen.rows), PAGE_ROWS))
    return [*lines, *(["", *left_out] if left_out else [])]


def _origin() -> str:
    if settings.is_synthetic():
        return (
            "**The rows in the tables are of the synthetic sample**, not of the "
            "competition's files, so figures in words and in tables differ."
        )
    return (
        "The rows in the tables are of real files: do not pass them on where the "
        "files may not be passed on."
    )


def _left_out(n_rows: int, n_shown: int) -> list[str]:
    n_left = n_rows - n_shown
    return [f"({n_left:,} more of {n_rows:,} rows left out)"] if n_left > 0 else []


def _cells(rows: Sequence[tuple]) -> list[tuple[str, ...]]:
    return [tuple(_cell(value) for value in row) for row in rows]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:,}"
    return str(value)


if __name__ == "__main__":
    sys.exit(main())
