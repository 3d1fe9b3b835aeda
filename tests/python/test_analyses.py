"""Analyses answer their question on any data: compiled by dbt, run for reading only."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from ml.settings import PROJECT_DIR

ANALYSES = sorted((PROJECT_DIR / "analyses").glob("*.sql"))


def ids(path: Path) -> str:
    return path.stem


@pytest.fixture(scope="module")
def compiled(sample_world) -> Path:
    """Directory of the analyses as plain SQL for the sample's warehouse."""
    sample_world.dbt("compile", "--select", "path:analyses")
    target = Path(sample_world.environment()["DBT_TARGET_PATH"])
    return target / "compiled" / "ponpare" / "analyses"


@pytest.fixture(scope="module")
def ask(sample_world, compiled):
    """Return a function that runs an analysis and gives its rows as dictionaries."""

    def answer(name: str) -> list[dict]:
        sql = (compiled / f"{name}.sql").read_text(encoding="utf-8")
        with duckdb.connect(str(sample_world.database), read_only=True) as connection:
            cursor = connection.execute(sql)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    return answer


@pytest.mark.parametrize("path", ANALYSES, ids=ids)
def test_says_its_question_first_and_answers_below(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    comment = [line for line in lines[: lines.index("")] if line.startswith("--")]
    assert lines[0].startswith("-- question: ")
    assert lines[0].endswith("?")
    assert len(comment) > 3, "no comment says what the answer means"


@pytest.mark.parametrize("path", ANALYSES, ids=ids)
def test_returns_rows(ask, path):
    assert ask(path.stem)


def test_nine_day_rules_are_null_together_or_not_at_all(ask):
    rows = [row for row in ask("usable_date_values") if row["question"][0] == "1"]
    assert {row["value"] for row in rows} == {"0", "9"}


def test_shares_of_each_group_sum_to_100(ask):
    totals: dict[tuple, float] = {}
    for row in ask("usable_date_values"):
        key = row["question"], row["group_name"]
        totals[key] = totals.get(key, 0) + float(row["percent_of_group"])
    # each share is rounded to a tenth
    assert {key: total for key, total in totals.items() if abs(total - 100) > 1} == {}


def test_missing_values_cover_every_column_of_every_file(ask, sample_world):
    with duckdb.connect(str(sample_world.database), read_only=True) as connection:
        columns = connection.execute(
            "select table_name, column_name from information_schema.columns "
            "where table_schema = 'raw' and column_name != 'file_line' "
            "and table_name not in ('source_files', 'malformed_rows')"
        ).fetchall()
    rows = ask("missing_values")
    assert {(row["file_name"], row["column_name"]) for row in rows} == set(columns)
    assert len(rows) == len(columns)


def test_every_missing_value_of_the_sample_has_a_meaning(ask):
    absent = [row for row in ask("missing_values") if row["n_missing"] + row["n_empty"]]
    assert len(absent) > 10
    assert [row for row in absent if row["meaning"].startswith("not known")] == []


def test_outliers_are_counted_among_all_coupons(ask, sample_world):
    rows = {row["group_name"]: row for row in ask("price_outliers")}
    with duckdb.connect(str(sample_world.database), read_only=True) as connection:
        ((n_coupons, n_free),) = connection.execute(
            "select count(*), count(*) filter (where discount_price_yen = 0) "
            "from core.dim_coupons"
        ).fetchall()
    assert rows["all coupons"]["n_coupons"] == n_coupons
    assert rows["free"]["n_coupons"] == n_free > 0
    assert rows["free"]["max_price_yen"] == 0
