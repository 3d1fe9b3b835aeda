"""Incremental builds: what they leave and what they compute, against builds of all."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import duckdb
import pytest
import yaml
from warehouses import World, build_marts, cut_files

from ml import settings
from ml.version import code_fingerprint

ALL_WEEKS = "n_cutoffs: 60"
FULL = ("--vars", f"{{{ALL_WEEKS}}}")
INCREMENTAL = ("--vars", f"{{{ALL_WEEKS}, incremental: true}}")
#: The last cutoff of the files with which the warehouse begins, and those that follow.
KNOWN, NEWS = dt.date(2012, 6, 10), [dt.date(2012, 6, 17), dt.date(2012, 6, 24)]
#: Where everything must be as if it had been built anew.
SCHEMAS = ("quarantine", "core", "features", "ml", "reporting")
KEYS = ("int_user_keys", "int_coupon_keys", "int_session_keys")
HISTORIES = (
    *("int_user_weeks", "int_user_coupon_weeks"),
    *("int_user_prefecture_weeks", "int_user_attribute_weeks"),
)
#: Views over a cross join of marts that are compared.
LEFT_OUT = {"scoring_pairs", "newcomer_pairs"}
#: Means and deviations of doubles depend in their last bits on the order of rows.
INEXACT = {"feature_profile"}


def differences(world: World, other: World) -> list[str]:
    """Return the tables and views in which two warehouses differ."""
    found = []
    with duckdb.connect() as connection:
        for name, of in (("ours", world), ("theirs", other)):
            connection.execute(f"attach '{of.database}' as {name} (read_only)")
        tables = connection.execute(
            "select table_schema, table_name from information_schema.tables "
            "where table_catalog = 'ours' and (table_schema in $schemas "
            "or table_name in $names) order by all",
            {"schemas": list(SCHEMAS), "names": [*KEYS, *HISTORIES]},
        ).fetchall()
        assert len(tables) > 60
        for schema, table in tables:
            if table in LEFT_OUT:
                continue
            columns = "*"
            if table in INEXACT:
                described = connection.execute(f"describe ours.{schema}.{table}")
                columns = ", ".join(
                    f'"{row[0]}"::{"float" if row[1] == "DOUBLE" else row[1]}'
                    for row in described.fetchall()
                )
            ours, theirs = (
                f"select {columns} from {side}.{schema}.{table}"
                for side in ("ours", "theirs")
            )
            ((n_different,),) = connection.execute(
                f"select count(*) from ((({ours}) except all ({theirs})) "
                f"union all (({theirs}) except all ({ours})))"
            ).fetchall()
            if n_different:
                found.append(f"{schema}.{table}: {n_different} rows")
    return found


def cutoffs_in(world: World, table: str) -> list[dt.date]:
    with duckdb.connect(str(world.database), read_only=True) as connection:
        rows = connection.execute(
            f"select cutoff_date from intermediate.{table} order by all"
        ).fetchall()
    return [row[0] for row in rows]


def built(world: World) -> list[dt.date]:
    """Return the cutoffs that the last build computed."""
    return cutoffs_in(world, "int_cutoffs_to_build")


def added_page_views(world: World) -> bool:
    """Return whether the last build left page views that were there as they were."""
    target = Path(world.environment()["DBT_TARGET_PATH"]) / "compiled"
    (compiled,) = target.rglob("fct_visits.sql")
    return "file_line >" in compiled.read_text(encoding="utf-8")


def weeks_tested(world: World) -> set[bool]:
    """Return whether the weeks of histories count as tested."""
    with duckdb.connect(str(world.database), read_only=True) as connection:
        rows = connection.execute(
            "select distinct is_tested from staging.built_parts "
            "where model_name like 'int_user%'"
        ).fetchall()
    return {is_tested for (is_tested,) in rows}


def finished(world: World) -> list[dt.date]:
    """Return the cutoffs that the next incremental build leaves as they are."""
    return cutoffs_in(world, "int_finished_cutoffs")


def change(world: World, statement: str) -> None:
    with duckdb.connect(str(world.database)) as connection:
        connection.execute(statement)


@pytest.fixture(scope="module")
def world(sample_dir, tmp_path_factory) -> World:
    """A warehouse of the files as they were two weeks before the last cutoff."""
    directory = tmp_path_factory.mktemp("incremental")
    files = cut_files(sample_dir, directory / "files", KNOWN)
    world = build_marts(World(files, directory / "incremental.duckdb"), *FULL)
    assert finished(world) == built(world)
    assert len(finished(world)) > 40
    return world


@pytest.mark.full
def test_new_weeks_are_added_as_if_all_had_been_built(world, sample_dir, tmp_path):
    before = finished(world)
    for path in sample_dir.glob("*.csv"):
        shutil.copy(path, world.data_dir)
    # with the tests, which look at what was computed
    assert weeks_tested(world) == {False}
    world.dbt("build", "--exclude-resource-type", "unit_test", *INCREMENTAL)
    assert weeks_tested(world) == {True}
    # of the old cutoffs only that whose target week was still to come
    assert built(world) == [KNOWN, *NEWS]
    assert finished(world) == [*before, *NEWS]
    anew = build_marts(World(sample_dir, tmp_path / "anew.duckdb"), *FULL)
    assert differences(world, anew) == []
    assert added_page_views(world)

    # nothing has changed: nothing is to be computed
    to_build = ("run", "--select", "+int_cutoffs_to_build")
    world.dbt(*to_build, *INCREMENTAL)
    assert built(world) == []
    assert finished(world) == [*before, *NEWS]

    # a purchase of April was taken back: what came after it is computed again
    log = world.data_dir / "coupon_detail_train.csv"
    head, *lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    taken_back = next(line for line in lines if "2012-04-18" in line)
    lines.remove(taken_back)
    log.write_text(head + "".join(lines), encoding="utf-8")
    world.dbt(*to_build, *INCREMENTAL)
    first = dt.date(2012, 4, 15)
    assert built(world) == [day for day in [*before, *NEWS] if day >= first]
    # a build that goes no further leaves them unfinished
    assert finished(world) == [day for day in before if day < first]

    # a mart alone would hold these cutoffs and no others
    alone = world.dbt("run", "--select", "feature_coupons", *FULL, check=False)
    assert alone.returncode != 0
    assert "would lack" in alone.stdout
    assert finished(world) == [day for day in before if day < first]
    # where a mart is missing, all are built
    assert finished(anew) == built(anew)
    change(anew, "drop table features.feature_newcomers")
    anew.dbt("run", "--select", "+feature_coupons", *INCREMENTAL)
    assert built(anew) == [*before, *NEWS]
    # a mart may be built alone beside all others, but nobody knows what they are of
    change(
        anew,
        "insert into intermediate.int_finished_cutoffs "
        "from intermediate.int_cutoff_inputs",
    )
    anew.dbt("run", "--select", "feature_coupons", *FULL)
    assert finished(anew) == []


@pytest.mark.full
@pytest.mark.parametrize("arguments", [INCREMENTAL, ("--full-refresh",)])
def test_unit_tests_of_what_to_build_pass_in_every_way_to_build(world, arguments):
    described = world.project_dir / "models/intermediate/int_cutoffs_to_build.yml"
    n_tests = len(yaml.safe_load(described.read_text(encoding="utf-8"))["unit_tests"])
    alone = ("--select", "int_cutoffs_to_build", "--exclude-resource-type", "test")
    tested = world.dbt("build", *alone, *arguments)
    assert tested.stdout.count("PASS int_cutoffs_to_build::") == n_tests


def test_other_code_is_other_input(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "PROJECT_DIR", tmp_path)
    (tmp_path / "dbt_project.yml").write_text("name: a")
    (tmp_path / "models").mkdir()
    model = tmp_path / "models" / "a.sql"
    found = [code_fingerprint()]
    for text in ("select 1", "select 2"):
        model.write_text(text)
        found.append(code_fingerprint())
    model.rename(Path(model).with_stem("b"))
    found.append(code_fingerprint())
    # with another test, what was tested is not
    (tmp_path / "tests" / "generic").mkdir(parents=True)
    (tmp_path / "tests" / "generic" / "in_range.sql").write_text("select 3")
    found.append(code_fingerprint())
    assert len(set(found)) == len(found)
    # what no build reads
    (tmp_path / "README.md").write_text("x")
    assert code_fingerprint() == found[-1]
