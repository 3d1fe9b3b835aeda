"""Show what the warehouse holds: rows per table, models side by side, what is next."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from ml import cli, settings
from ml.warehouse import Warehouse, open_warehouse

EXAMPLE = "example: python -m ml.summary"

SCHEMAS = ("core", "features", "ml", "reporting")
#: Views whose rows are too many to count for a summary.
NOT_COUNTED = {("ml", "scoring_pairs")}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("summary", __doc__, EXAMPLE)
    parser.parse_args(arguments)
    return cli.run(print_summary)


def print_summary() -> None:
    """Print row counts, the leaderboard and three things to look at next."""
    with open_warehouse(read_only=True) as warehouse:
        print("\nrows")
        for schema, lines in row_counts(warehouse).items():
            shown = ", ".join(f"{name} {count:,}" for name, count in lines)
            print(f"  {schema:<10} {shown}")
        _print_untranslated(warehouse)
        _print_leaderboard(warehouse)
    path = settings.warehouse_path()
    chosen = "".join(
        f"{name}={os.environ[name]} "
        for name in ("PONPARE_DATA_DIR", "PONPARE_DB")
        if os.environ.get(name, "data/sample") not in ("", "data/sample")
    )
    if settings.is_synthetic():
        print(
            "\nThe data are synthetic (docs/sample-data.md): figures show that the "
            "project works, not how people shop."
        )
    print(
        "\nnext\n"
        "  report/index.html\n"
        "      pictures, results and scorecard, in a browser (make report)\n"
        f"  {chosen}make docs\n"
        "      tables, columns and lineage: target/static_index.html\n"
        f"  {chosen}.venv/bin/python -m ml.query "
        '"from reporting.recommendations order by user_hash, rank limit 10"\n'
        "      ranked coupons with reasons; any client of DuckDB 2.0 opens "
        f"{path} too\n"
        "  make run PONPARE_DATA_DIR=<directory with the competition's files>\n"
        "      the same on your own data"
    )


def row_counts(warehouse: Warehouse) -> dict[str, list[tuple[str, int]]]:
    """Return the number of rows of each table and view, by schema."""
    names = warehouse.rows(
        "select table_schema, table_name from information_schema.tables "
        "where table_schema in ('core', 'features', 'ml', 'reporting') order by all"
    )
    counts: dict[str, list[tuple[str, int]]] = {schema: [] for schema in SCHEMAS}
    for schema, name in names:
        if (schema, name) not in NOT_COUNTED:
            ((count,),) = warehouse.rows(f'select count(*) from {schema}."{name}"')
            counts[schema].append((name, count))
    return counts


def _print_untranslated(warehouse: Warehouse) -> None:
    ((n_values,),) = warehouse.rows(
        "select count(*) from reporting.untranslated_values"
    )
    if n_values:
        print(
            f"  {n_values} Japanese values have no translation: see "
            "reporting.untranslated_values and add them to seeds/"
        )


def _print_leaderboard(warehouse: Warehouse) -> None:
    rows = warehouse.rows(
        "select cutoff_date, model_name, is_default, map_at_10, map_at_10_low, "
        "map_at_10_high, auc from reporting.model_leaderboard "
        "order by cutoff_date desc, map_at_10 desc"
    )
    if not rows:
        print("\nno model has been evaluated yet: run `python -m ml.train`")
        return
    print("\nresults (reporting.model_leaderboard; * is the model that was published)")
    print(f"  {'week from':<12}{'model':<24}{'MAP@10':>9}  {'95 % interval':<20}AUC")
    for date, name, is_default, value, low, high, auc in rows:
        print(
            f"  {date!s:<12}{name + (' *' if is_default else ''):<24}{value:>9.5f}  "
            f"{f'{low:.5f}..{high:.5f}':<20}"
            f"{'-' if auc is None else format(auc, '.4f')}"
        )


if __name__ == "__main__":
    sys.exit(main())
