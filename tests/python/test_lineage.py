"""Lineage of columns: by hand on small SQL, for the whole project, and as a page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ml import lineage
from ml.cli import CommandError
from ml.columns import Column, ColumnLineage, column_lineage
from ml.lineage_page import page
from ml.manifest import read_manifest


def node(table: str, columns: list[str], sql: str = "", **more: object) -> dict:
    schema, name = table.split(".")
    return {
        "unique_id": table,
        "name": name,
        "schema": schema,
        "relation_name": f'"file"."{schema}"."{name}"',
        "resource_type": "model",
        "fqn": ["ponpare", schema, name],
        "columns": {
            column: {"name": column, "description": f"The {column}."}
            for column in columns
        },
        "compiled_code": sql,
        **more,
    }


def small_manifest(sql: str, columns: list[str]) -> dict:
    """A file and a model that reads it."""
    raw = node("raw.file", ["USER", "Price", "n"], resource_type="source")
    model = node("core.model", columns, sql)
    return {"sources": {"raw": raw}, "nodes": {"model": model}}


def parents(sql: str, columns: list[str]) -> dict[str, list[str]]:
    """Parents of the columns of a model, by name."""
    found = column_lineage(small_manifest(sql, columns))
    assert found.unresolved == {}
    return {
        column.name: [str(parent) for parent in found.parents[column]]
        for column in found.parents
        if column.table == "core.model"
    }


def test_values_are_followed_through_ctes_and_unions_whatever_the_case():
    sql = """
        with prices as (
            select user as user_hash, cast(price as integer) * n as spend
            from file.raw.file
        ),
        both_kinds as (
            select *, 1 as kind from prices
            union all
            select user, n, 2 from file.raw.file
        )
        select * from both_kinds
    """
    assert parents(sql, ["user_hash", "spend", "kind"]) == {
        "user_hash": ["raw.file.USER"],
        "spend": ["raw.file.Price", "raw.file.n"],
        "kind": [],
    }


def test_windows_are_part_of_a_value_and_filters_are_not():
    sql = """
        select
            rank() over (partition by user order by price) as place,
            count(*) as n_rows
        from file.raw.file
        where n > 0
    """
    assert parents(sql, ["place", "n_rows"]) == {
        "place": ["raw.file.Price", "raw.file.USER"],
        "n_rows": [],
    }


def test_rows_of_a_table_function_come_from_no_table():
    sql = "select cast(days.day as date) as day from generate_series(1, 3) as days(day)"
    assert parents(sql, ["day"]) == {"day": []}


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("select user as a from file.raw.file where (", "Required keyword"),
        ("select user as a from file.raw.other", "raw.other.user, which no YAML lists"),
        ("select user as b from file.raw.file", "no column core.model.a in its SQL"),
    ],
)
def test_a_model_that_cannot_be_read_is_named_and_the_others_stay(sql, reason):
    manifest = small_manifest(sql, ["a"])
    manifest["nodes"]["next"] = node(
        "core.next", ["c"], "select a as c from file.core.model"
    )
    found = column_lineage(manifest)
    assert list(found.unresolved) == ["core.model"]
    assert reason in found.unresolved["core.model"]
    assert found.parents[Column("core.next", "c")] == [Column("core.model", "a")]


def test_a_table_that_ml_fills_names_what_ml_reads():
    manifest = small_manifest("select user as a from file.raw.file", ["a"])
    manifest["nodes"]["scores"] = node(
        "ml.scores",
        ["score"],
        "select cast(null as double) as score where false",
        fqn=["ponpare", "marts", "ml", "written_by_training", "scores"],
        depends_on={"nodes": ["core.model"]},
    )
    found = column_lineage(manifest)
    score = Column("ml.scores", "score")
    assert list(lineage.lines(found, score)) == [
        "ml.scores.score  (written by ml, which reads core.model)"
    ]


def diamond() -> ColumnLineage:
    """d is made from b and c, both of these from a."""
    manifest = small_manifest("select user as b, user as c from file.raw.file", "bc")
    manifest["nodes"]["next"] = node(
        "core.next", ["d"], "select b || c as d from file.core.model"
    )
    return column_lineage(manifest)


def test_the_tree_goes_up_or_down():
    found = diamond()
    column = lineage.find(found, "CORE.next.d")
    assert list(lineage.lines(found, column)) == [
        "core.next.d",
        "  core.model.b",
        "    raw.file.USER  (source)",
        "  core.model.c",
        "    raw.file.USER  (source)",
    ]
    user = lineage.find(found, "raw.file.user")
    assert list(lineage.lines(found, user, down=True)) == [
        "raw.file.USER  (source)",
        "  core.model.b",
        "    core.next.d",
        "  core.model.c",
        "    core.next.d",
    ]


def test_what_was_shown_is_not_unfolded_again():
    manifest = small_manifest("select user as b, user as c from file.raw.file", "bc")
    manifest["nodes"]["next"] = node(
        "core.next", ["d"], "select b || c as d from file.core.model"
    )
    manifest["nodes"]["last"] = node(
        "core.last", ["e"], "select d || b as e from file.core.next, file.core.model"
    )
    found = column_lineage(manifest)
    shown = list(lineage.lines(found, Column("core.last", "e")))
    assert shown.count("  core.model.b") + shown.count("    core.model.b") == 1
    assert any(line.strip() == "core.model.b  (see above)" for line in shown)


def test_an_unknown_column_is_named_with_similar_ones():
    with pytest.raises(CommandError, match=r"no column core\.next\.dd.*core\.next\.d"):
        lineage.find(diamond(), "core.next.dd")


@pytest.mark.parametrize("content", ["", "{}", None])
def test_a_manifest_that_is_none_is_one_sentence(tmp_path, capsys, content):
    path = tmp_path / "manifest.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    arguments = ["--manifest", str(path), "--column", "core.next.d"]
    assert lineage.main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: --manifest: ")
    assert len(error.splitlines()) == 1


def test_without_anything_to_show_the_usage_is_printed(capsys):
    with pytest.raises(SystemExit):
        lineage.main([])
    assert "one of --column and --write is needed" in capsys.readouterr().err


HOSTILE = '</script><script>document.title = "broken"</script><b>&amp;'


@pytest.fixture
def page_path(tmp_path) -> Path:
    found = diamond()
    found.descriptions[Column("core.next", "d")] = HOSTILE
    found.unresolved["core.model"] = HOSTILE
    path = tmp_path / "column_lineage.html"
    path.write_text(page(found), encoding="utf-8")
    return path


def test_the_page_finds_a_column_and_leads_to_where_it_comes_from(browser, page_path):
    browser.open(page_path)
    assert browser.find("#count").text == "6 columns"
    browser.find("#search").send_keys("NEXT d")
    assert browser.find("#count").text == "1 of 6 columns"
    browser.find("#results a", "core.next.d").click()
    assert browser.find("#column h2").text == "core.next.d"
    steps = [link.text for link in browser.find_all("#parents a")]
    assert steps == ["core.model.b", "raw.file.USER", "core.model.c", "raw.file.USER"]
    browser.find("#parents a", "raw.file.USER").click()
    browser.find("#column h2", "raw.file.USER")
    assert browser.find("#parents .note").text == "No column: source."
    browser.find("#children a", "core.next.d")
    assert browser.console_errors() == browser.requests() == []


def test_the_page_shows_values_as_text(browser, page_path):
    browser.open(page_path)
    browser.driver.execute_script("location.hash = '#core.next.d'")
    assert browser.find("#column p").text == HOSTILE
    assert browser.find("#unresolved li").text == f"core.model: {HOSTILE}"
    assert browser.driver.title == "core.next.d - column lineage"
    assert browser.find_all("b") == []


def test_the_page_fits_a_phone(browser, page_path):
    browser.set_size(360, phone=True)
    browser.open(page_path)
    browser.driver.execute_script("location.hash = '#core.next.d'")
    browser.find("#column h2", "core.next.d")
    assert browser.overflow() == 0


@pytest.fixture(scope="module")
def compiled() -> dict:
    return read_manifest(compiled=True)


@pytest.fixture(scope="module")
def project(compiled) -> ColumnLineage:
    return column_lineage(compiled)


@pytest.mark.full
def test_the_sql_of_every_model_is_read(project):
    assert project.unresolved == {}
    assert len(project.parents) > 1000


@pytest.mark.full
def test_columns_come_from_what_their_model_reads(project, compiled):
    names = {
        unique_id: f"{found['schema']}.{found['name']}"
        for unique_id, found in (
            *compiled["sources"].items(),
            *compiled["nodes"].items(),
        )
    }
    for unique_id, found in compiled["nodes"].items():
        if found["resource_type"] != "model":
            continue
        read = {names[other] for other in found["depends_on"]["nodes"]}
        for column in found["columns"]:
            used = {
                parent.table
                for parent in project.parents[Column(names[unique_id], column)]
            }
            assert used <= read, f"{names[unique_id]}.{column}"


@pytest.mark.full
@pytest.mark.parametrize(
    ("column", "sources"),
    [
        ("staging.stg_purchases.item_count", {"coupon_detail_train.ITEM_COUNT"}),
        (
            "ml.scoring_pairs.user_spend_yen",
            {
                "coupon_detail_train.ITEM_COUNT",
                "coupon_list_train.DISCOUNT_PRICE",
                "coupon_list_test.DISCOUNT_PRICE",
            },
        ),
        ("features.feature_users.user_sex", {"user_list.SEX_ID"}),
        ("reporting.recommendations.score", set()),
    ],
)
def test_known_columns_of_the_project(project, column, sources):
    shown = lineage.lines(project, lineage.find(project, column))
    found = {line.split()[0] for line in shown if "(source)" in line}
    assert found == {f"raw.{source}" for source in sources}


@pytest.mark.full
def test_the_verb_writes_the_page_of_the_project(tmp_path, compiled, capsys):
    manifest, written = tmp_path / "manifest.json", tmp_path / "lineage.html"
    manifest.write_text(json.dumps(compiled), encoding="utf-8")
    arguments = ["--manifest", str(manifest), "--write", str(written)]
    assert lineage.main(arguments) == 0
    assert "columns written to" in capsys.readouterr().out
    assert "recommendations" in written.read_text(encoding="utf-8")
