"""Incremental builds: what they leave and what they compute, against builds of all."""

from __future__ import annotations

import csv
import datetime as dt
import shutil
from pathlib import Path

import duckdb
import pytest
from warehouses import World, build_marts, cut_files

from ml import settings
from ml.version import code_fingerprint

ALL_WEEKS = "n_cutoffs: 60"
INCREMENTAL = ("--vars", f"{{{ALL_WEEKS}, incremental: true}}")
#: The last cutoff of the files with which the warehouse begins, and those that follow.
KNOWN, NEWS = dt.date(2012, 6, 10), [dt.date(2012, 6, 17), dt.date(2012, 6, 24)]
#: Where everything must be as if it had been built anew.
SCHEMAS = ("core", "features", "ml", "reporting")
#: Views over a cross join, of whose marts nothing is left out, and what training writes.
LEFT_OUT = {"scoring_pairs", "newcomer_pairs"}


def differences(world: World, other: World) -> list[str]:
    """Return the tables and views in which two warehouses differ."""
    found = []
    with duckdb.connect() as connection:
        for name, of in (("ours", world), ("theirs", other)):
            connection.execute(f"attach '{of.database}' as {name} (read_only)")
        tables = connection.execute(
            "select table_schema, table_name from information_schema.tables "
            "where table_catalog = 'ours' and table_schema in $schemas order by all",
            {"schemas": list(SCHEMAS)},
        ).fetchall()
        assert len(tables) > 60
        for schema, table in tables:
            if table in LEFT_OUT:
                continue
            ours, theirs = (f"{side}.{schema}.{table}" for side in ("ours", "theirs"))
            ((n_different,),) = connection.execute(
                f"select count(*) from ((from {ours} except all from {theirs}) "
                f"union all (from {theirs} except all from {ours}))"
            ).fetchall()
            if n_different:
                found.append(f"{schema}.{table}: {n_different} rows")
    return found


def built_cutoffs(world: World) -> list[dt.date]:
    """Return the cutoffs that the last build computed."""
    with duckdb.connect(str(world.database), read_only=True) as connection:
        rows = connection.execute(
            "select cutoff_date from intermediate.int_cutoffs_to_build order by all"
        ).fetchall()
    return [row[0] for row in rows]


def finished_cutoffs(world: World) -> int:
    with duckdb.connect(str(world.database), read_only=True) as connection:
        return connection.execute(
            "select count(*) from intermediate.int_finished_cutoffs"
        ).fetchall()[0][0]


@pytest.fixture(scope="module")
def world(sample_dir, tmp_path_factory) -> World:
    """A warehouse of the files as they were a week before their end."""
    directory = tmp_path_factory.mktemp("incremental")
    files = cut_files(sample_dir, directory / "files", KNOWN)
    world = World(files, directory / "incremental.duckdb")
    return build_marts(world, "--vars", f"{{{ALL_WEEKS}}}")


def replace_files(world: World, files: Path) -> None:
    for path in files.iterdir():
        if path.is_file():
            shutil.copy(path, world.data_dir)


@pytest.mark.full
def test_a_new_week_is_added_as_if_all_had_been_built(world, sample_dir, tmp_path):
    n_before = finished_cutoffs(world)
    assert n_before == len(built_cutoffs(world)) > 40

    # nothing has changed: nothing is computed
    build_marts(world, *INCREMENTAL)
    assert built_cutoffs(world) == []
    assert finished_cutoffs(world) == n_before

    # two weeks on: of the old cutoffs only that whose target week was still to come
    replace_files(world, sample_dir)
    world.dbt("build", "--exclude-resource-type", "unit_test", *INCREMENTAL)
    assert built_cutoffs(world) == [KNOWN, *NEWS]
    assert finished_cutoffs(world) == n_before + len(NEWS)
    anew = build_marts(
        World(sample_dir, tmp_path / "anew.duckdb"), "--vars", f"{{{ALL_WEEKS}}}"
    )
    assert differences(world, anew) == []
