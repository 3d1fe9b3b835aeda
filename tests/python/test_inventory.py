"""The inventory of columns says what the YAML says; the page in docs is current."""

from __future__ import annotations

import copy
import csv

import duckdb
import pytest

from ml import inventory
from ml.columns import column_lineage
from ml.inventory import FileColumn, core_of, file_columns, files_of, unstated
from ml.manifest import models, read_manifest
from ml.settings import PROJECT_DIR

#: What parts the values of a list: comma, bar, slash, semicolon, middle dot.
SEPARATORS = "、,;|/・"


@pytest.fixture(scope="module")
def compiled() -> dict:
    return read_manifest(compiled=True, select=inventory.CORE)


def column(
    name: str, data_type: str = "varchar", not_null: bool = False, **meta
) -> dict:
    return {
        "name": name,
        "description": "",
        "data_type": data_type,
        "config": {"meta": meta},
        "constraints": [{"type": "not_null"}] if not_null else [],
    }


def node(schema: str, name: str, columns: list[dict], sql: str = "") -> dict:
    kind = "model" if sql else "source"
    return {
        "unique_id": f"{kind}.{name}",
        "name": name,
        "schema": schema,
        "relation_name": f'"file"."{schema}"."{name}"',
        "resource_type": kind,
        "fqn": ["ponpare", name],
        "config": {"meta": {}},
        "columns": {one["name"]: one for one in columns},
        "compiled_code": sql,
        "depends_on": {"nodes": []},
    }


def small_manifest() -> dict:
    """A file with a complete and another column, staged and read by core."""
    file = node(
        "raw",
        "user_list",
        [
            column("USER"),
            column("LEFT", nulls="NA:\nstayed.", cells="A date."),
            column("file_line", loader=True),
        ],
    )
    staged = node(
        "staging",
        "stg_users",
        [column("user_hash"), column("left_at", "date")],
        'select user as user_hash, cast("left" as date) as left_at '
        "from file.raw.user_list",
    )
    core = node(
        "core",
        "dim_users",
        [
            column("user_hash", not_null=True),
            column("left_at", "date", null_means="Stayed."),
        ],
        "select user_hash, left_at from file.staging.stg_users",
    )
    checked = node(
        "staging",
        "checked_users",
        [column("rejected_because")],
        "select case when user is null then 'USER is missing' end as rejected_because "
        "from file.raw.user_list",
    )
    checked["depends_on"]["nodes"] = ["source.user_list"]
    return {
        "sources": {"source.user_list": file},
        "nodes": {"a": staged, "b": core, "c": checked},
    }


def test_a_column_is_followed_from_the_file_to_core():
    manifest = small_manifest()
    (file,) = files_of(manifest)
    assert file_columns(manifest, file, column_lineage(manifest)) == [
        FileColumn(
            "USER",
            (("user_hash", "varchar"),),
            inventory.NEVER_ABSENT,
            inventory.ONE_VALUE,
            ("dim_users.user_hash",),
        ),
        FileColumn(
            "LEFT",
            (("left_at", "date"),),
            "NA: stayed.",
            "A date.",
            ("dim_users.left_at",),
        ),
    ]


def test_a_column_whose_nulls_nobody_explains_is_found():
    manifest = small_manifest()
    assert unstated(manifest) == []
    manifest["sources"]["source.user_list"]["columns"]["LEFT"] = column("LEFT")
    manifest["nodes"]["b"]["columns"]["left_at"] = column("left_at", "date")
    assert unstated(manifest) == ["user_list.LEFT", "dim_users.left_at"]
    # a column that no rule wants complete has to say what null means
    manifest["nodes"]["c"]["compiled_code"] = "select 'LEFT is missing'"
    assert "user_list.USER" in unstated(manifest)


def test_every_column_of_files_and_core_says_what_null_means(compiled):
    assert unstated(compiled) == []
    assert len(files_of(compiled)) == 8
    assert {node["name"] for node in core_of(compiled)} >= {"dim_users", "fct_visits"}


def test_no_file_column_is_lost_on_the_way_to_staging(compiled):
    lineage = column_lineage(inventory._compiled_part(compiled))
    assert lineage.unresolved == {}
    lost = [
        f"{source['name']}.{row.name}"
        for source in files_of(compiled)
        for row in file_columns(compiled, source, lineage)
        if not row.staged
    ]
    assert lost == []


def test_the_page_is_what_would_be_written(compiled):
    page = (PROJECT_DIR / inventory.PAGE).read_text(encoding="utf-8")
    stale = f"stale: python -m ml.inventory --write {inventory.PAGE}"
    assert page == inventory.markdown(compiled), stale


def test_another_word_in_the_yaml_makes_the_page_stale(compiled):
    page = (PROJECT_DIR / inventory.PAGE).read_text(encoding="utf-8")
    changed = copy.deepcopy(compiled)
    users = next(s for s in files_of(changed) if s["name"] == "user_list")
    users["columns"]["WITHDRAW_DATE"]["config"]["meta"]["nulls"] = "Something else."
    assert page != inventory.markdown(changed)


def test_types_of_staging_in_the_yaml_are_those_of_the_warehouse(
    manifest, sample_world
):
    with duckdb.connect(str(sample_world.database), read_only=True) as connection:
        rows = connection.execute(
            "select table_name, column_name, lower(data_type) "
            "from information_schema.columns "
            "where table_schema = 'staging' and table_name like 'stg%'"
        ).fetchall()
    said = {
        (node["name"], one["name"], one["data_type"])
        for node in models(manifest).values()
        if node["schema"] == "staging" and node["name"].startswith("stg")
        for one in node["columns"].values()
    }
    assert said == set(rows)


def test_cells_said_to_hold_one_value_hold_no_list(manifest, sample_dir):
    offenders, joined = set(), set()
    for source in files_of(manifest):
        plain = {
            one["name"]
            for one in source["columns"].values()
            if "cells" not in one["config"]["meta"]
        }
        path = sample_dir / f"{source['name']}.csv"
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                found = {
                    name for name, text in row.items() if set(text) & set(SEPARATORS)
                }
                offenders |= {f"{source['name']}.{name}" for name in found & plain}
                joined |= found - plain
    assert offenders == set()
    # the test sees the middle dot in names that are said to hold it
    assert "GENRE_NAME" in joined


def test_the_command_names_what_lacks_a_statement(monkeypatch, capsys):
    manifest = small_manifest()
    manifest["nodes"]["b"]["columns"]["left_at"] = column("left_at", "date")
    monkeypatch.setattr(inventory, "read_manifest", lambda **_: manifest)
    assert inventory.main([]) == 1
    assert "null means in dim_users.left_at: add" in capsys.readouterr().err
