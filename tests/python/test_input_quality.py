"""Files with planted defects: what is refused, what is kept, and what stops a build."""

from __future__ import annotations

import csv
import hashlib
import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from warehouses import World

from ml.raw_files import declared_sources

Row = dict[str, str]
#: What the tests build: everything that staging, core and the summary need.
UP_TO_SUMMARY = ("+input_quality", "+bridge_coupon_areas", "+dim_areas")
ALLOWING_MANY = ("--vars", "{max_quarantined_share: 0.9}")
OTHER_ID = "0123456789abcdef" * 2
IDENTITY = "every_row_read_is_staged_or_in_quarantine"


@dataclass(frozen=True)
class Defect:
    """One change to one row of a file, and the reason for which it is refused."""

    file: str
    change: Callable[[Row], Row]
    reason: str
    is_appended: bool = False


def put(file: str, reason: str, **values: str) -> Defect:
    """Put values into a row."""
    return Defect(file, lambda row: {**row, **values}, reason)


def append(file: str, reason: str, **values: str) -> Defect:
    """Append a copy of the first row with other values."""
    return Defect(file, lambda row: {**row, **values}, reason, is_appended=True)


REFUSED = [
    put("user_list", "USER_ID_hash is no id of 32 characters", USER_ID_hash="abc"),
    put("user_list", "AGE is no whole number", AGE="forty"),
    put("user_list", "SEX_ID is neither f nor m", SEX_ID="?"),
    put("user_list", "REG_DATE is no date and time", REG_DATE="2011-13-01 00:00:00"),
    append("user_list", "copy of an earlier row"),
    append("user_list", "USER_ID_hash of an earlier row", AGE="44"),
    put("coupon_list_train", "DISCOUNT_PRICE is negative", DISCOUNT_PRICE="-800"),
    put("coupon_list_train", "CATALOG_PRICE is no whole number", CATALOG_PRICE="?"),
    put("coupon_list_train", "DISPEND before DISPFROM", DISPEND="2010-08-01"),
    append("coupon_list_train", "copy of an earlier row"),
    put("coupon_list_test", "GENRE_NAME is missing", GENRE_NAME=""),
    put("coupon_area_train", "SMALL_AREA_NAME is missing", SMALL_AREA_NAME="NA"),
    append("coupon_area_train", "copy of an earlier row"),
    put("coupon_area_test", "COUPON_ID_hash is missing", COUPON_ID_hash=""),
    put(
        "coupon_area_test",
        "COUPON_ID_hash is no id of 32 characters",
        COUPON_ID_hash=f"two {'0' * 24} ids",
    ),
    put(
        "coupon_area_test",
        "COUPON_ID_hash is no id of 32 characters",
        COUPON_ID_hash=f"two\n{'0' * 23}lines",
    ),
    put("coupon_detail_train", "ITEM_COUNT is below 1", ITEM_COUNT="0"),
    put("coupon_detail_train", "I_DATE is no date and time", I_DATE="yesterday"),
    append("coupon_detail_train", "copy of an earlier row"),
    append("coupon_detail_train", "PURCHASEID_hash of an earlier row", ITEM_COUNT="77"),
    put("coupon_visit_train", "PURCHASE_FLG is neither 0 nor 1", PURCHASE_FLG="2"),
    put(
        "coupon_visit_train",
        "I_DATE is not within July 2010 to December 2013",
        I_DATE="2099-01-01 00:00:00",
    ),
    put("prefecture_locations", "LATITUDE is no number", LATITUDE="north"),
]
KEPT = [
    put("user_list", "WITHDRAW_DATE before REG_DATE", WITHDRAW_DATE="2010-07-01"),
    put(
        "coupon_list_train",
        "DISCOUNT_PRICE above CATALOG_PRICE",
        DISCOUNT_PRICE="900000",
        PRICE_RATE="0",
    ),
    put("coupon_list_train", "PRICE_RATE is not the saving", PRICE_RATE="1"),
    put("coupon_detail_train", "user in no list", USER_ID_hash=OTHER_ID),
    put("coupon_detail_train", "coupon in no list", COUPON_ID_hash=OTHER_ID),
    put("coupon_detail_train", "purchase outside the sale", I_DATE="2010-07-01"),
    put("coupon_visit_train", "user in no list", USER_ID_hash=OTHER_ID),
    put("coupon_visit_train", "coupon in no list", VIEW_COUPON_ID_hash=OTHER_ID),
    append("coupon_visit_train", "copy of an earlier row"),
]
#: A line with one field, put before the last row of a file.
MALFORMED = ("coupon_detail_train", "cut", "6 fields expected, 1 found")


def plant(data_dir: Path, defects: list[Defect]) -> list[tuple[str, int, str]]:
    """Change the files; return file, line and reason of every defect.

    Rows are changed from the third on, one row per defect.
    """
    planted = []
    for name in sorted({defect.file for defect in defects}):
        path = data_dir / f"{name}.csv"
        reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig")))
        rows = list(reader)
        place = 2
        for defect in (d for d in defects if d.file == name):
            if defect.is_appended:
                rows.append(defect.change(rows[0]))
                planted.append((name, len(rows) + 1, defect.reason))
            else:
                rows[place] = defect.change(rows[place])
                planted.append((name, place + 2, defect.reason))
                place += 1
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, reader.fieldnames, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return sorted(planted)


def plant_malformed(data_dir: Path) -> tuple[str, int, str]:
    """Put a line with too few fields at the end of a file."""
    name, text, reason = MALFORMED
    path = data_dir / f"{name}.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines, text]) + "\n", encoding="utf-8")
    return name, len(lines) + 1, reason


def ask(world: World, query: str) -> list[tuple]:
    with duckdb.connect(str(world.database), read_only=True) as connection:
        return connection.execute(query).fetchall()


def refused(world: World) -> list[tuple[str, int, str]]:
    """Return file, line and reason of every row in quarantine."""
    tables = ask(
        world,
        "select table_name from information_schema.tables "
        "where table_schema = 'quarantine' and table_name like 'quarantined_%'",
    )
    assert len(tables) == 8
    union = " union all ".join(f"from quarantine.{table}" for (table,) in tables)
    return ask(
        world,
        f"select file_name, file_line, rejected_because from ({union}) order by all",
    )


@dataclass(frozen=True)
class Dirty:
    """A warehouse of files with planted defects."""

    world: World
    refused: list[tuple[str, int, str]]
    printed: str


@pytest.fixture(scope="module")
def dirty(sample_dir, tmp_path_factory) -> Dirty:
    place = tmp_path_factory.mktemp("dirty")
    data_dir = place / "data"
    shutil.copytree(sample_dir, data_dir)
    planted = plant(data_dir, REFUSED + KEPT)
    kept = {(defect.file, defect.reason) for defect in KEPT}
    expected = [row for row in planted if (row[0], row[2]) not in kept]
    name, line, reason = plant_malformed(data_dir)
    expected.append((name, line, f"{reason}, I_DATE is missing"))
    world = World(data_dir, place / "dirty.duckdb")
    done = world.dbt(
        "build",
        *("--select", *UP_TO_SUMMARY, IDENTITY, "--indirect-selection", "cautious"),
        *("--exclude-resource-type", "unit_test"),
        *ALLOWING_MANY,
    )
    return Dirty(world, sorted(expected), done.stdout)


def test_each_defect_is_refused_with_file_line_and_reason(dirty):
    assert refused(dirty.world) == dirty.refused


def test_the_raw_text_is_that_of_the_file(dirty):
    for table in ("users", "purchases", "visits"):
        rows = ask(
            dirty.world,
            "select file_name, file_line, raw_text "
            f"from quarantine.quarantined_{table}",
        )
        assert rows
        for file_name, line, text in rows:
            path = dirty.world.data_dir / f"{file_name}.csv"
            assert text == path.read_text(encoding="utf-8").splitlines()[line - 1]


def test_rows_read_are_rows_staged_and_rows_in_quarantine(dirty):
    # as a test of dbt, which ran with the build
    assert f"PASS {IDENTITY}" in dirty.printed
    for file_name, stage in (("user_list", "users"), ("coupon_visit_train", "visits")):
        text = (dirty.world.data_dir / f"{file_name}.csv").read_text(encoding="utf-8")
        n_refused = sum(row[0] == file_name for row in dirty.refused)
        ((n_staged,),) = ask(dirty.world, f"select count(*) from staging.stg_{stage}")
        assert n_staged + n_refused == len(text.splitlines()) - 1


LOSSES = {
    "staged": (
        "create or replace view staging.stg_users as select * from "
        "staging.checked_users where rejected_because is null limit 290"
    ),
    "quarantined": (
        "create or replace view staging.stg_users as select * from "
        "staging.checked_users where rejected_because is null; "
        "delete from quarantine.quarantined_users where file_line = "
        "(select min(file_line) from quarantine.quarantined_users)"
    ),
}


@pytest.mark.full
@pytest.mark.parametrize("loss", LOSSES)
def test_a_row_that_is_lost_is_noticed(dirty, tmp_path, loss):
    shutil.copy(dirty.world.database, tmp_path / "whole.duckdb")
    try:
        with duckdb.connect(str(dirty.world.database)) as connection:
            connection.execute(LOSSES[loss])
        done = dirty.world.dbt("test", "--select", IDENTITY, check=False)
    finally:
        shutil.copy(tmp_path / "whole.duckdb", dirty.world.database)
    assert done.returncode == 1
    assert f"FAIL 1 {IDENTITY}" in done.stdout


def test_the_summary_names_every_finding(dirty):
    found = ask(
        dirty.world,
        "select file_name, finding, n_rows from reporting.input_quality "
        "where treatment = 'quarantined' order by all",
    )
    reasons = [(name, reason) for name, _, reason in dirty.refused]
    assert found == sorted({(*pair, reasons.count(pair)) for pair in reasons})
    kept = {
        row[:2]: row[2]
        for row in ask(
            dirty.world,
            "select file_name, finding, n_rows from reporting.input_quality "
            "where treatment != 'quarantined'",
        )
    }
    for defect in KEPT:
        assert kept[defect.file, defect.reason] >= 1, defect
    assert kept["user_list", "WITHDRAW_DATE before REG_DATE"] == 1
    assert kept["coupon_visit_train", "copy of an earlier row"] == 1


def test_kept_rows_are_in_the_marts_and_flagged(dirty):
    assert ask(
        dirty.world,
        "select count(*) from core.dim_users where contradiction is not null "
        "and withdrawn_at < registered_at",
    ) == [(1,)]
    assert ask(
        dirty.world,
        "select contradiction from core.dim_coupons where contradiction is not null "
        "order by all",
    ) == [("DISCOUNT_PRICE above CATALOG_PRICE",), ("PRICE_RATE is not the saving",)]
    assert ask(
        dirty.world,
        "select count(*) filter (where not is_within_sale) > 0, "
        "count(*) filter (where not is_listed_user) > 0, "
        "count(*) filter (where not is_listed_coupon) > 0 from core.fct_purchases",
    ) == [(True, True, True)]


@pytest.mark.full
def test_everything_is_built_on_files_with_defects(dirty, tmp_path):
    database = tmp_path / "whole.duckdb"
    done = World(dirty.world.data_dir, database).dbt("build", *ALLOWING_MANY)
    assert "ERROR=0" in done.stdout


@pytest.fixture(scope="module")
def pristine(sample_dir, tmp_path_factory) -> World:
    """A world whose users are built, with a copy of its warehouse."""
    place = tmp_path_factory.mktemp("sound")
    world = World(place / "data", place / "sound.duckdb")
    shutil.copytree(sample_dir, world.data_dir)
    world.dbt(
        *("build", "--select", "+dim_users", "resource_type:seed"),
        *("--resource-type", "seed", "--resource-type", "model"),
    )
    shutil.copy(world.database, place / "copy.duckdb")
    return world


@pytest.fixture
def built(pristine, sample_dir) -> World:
    """The pristine world, which a test may spoil."""
    shutil.rmtree(pristine.data_dir, ignore_errors=True)
    shutil.copytree(sample_dir, pristine.data_dir)
    shutil.copy(pristine.database.with_stem("copy"), pristine.database)
    return pristine


@pytest.mark.full
def test_a_file_that_is_too_broken_stops_the_build_and_leaves_the_marts(built):
    before = ask(built, "select * from core.dim_users order by user_id")
    path = built.data_dir / "user_list.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    # 3 of 300 are 1 %: as many as may be
    for number in (5, 6, 7):
        lines[number] = lines[number].replace(",f,", ",?,").replace(",m,", ",?,")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    built.dbt("run", "--select", "+stg_users")
    assert ask(built, "select count(*) from staging.stg_users") == [(297,)]
    lines[8] = lines[8].replace(",f,", ",?,").replace(",m,", ",?,")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = built.dbt("run", "--select", "+dim_users", check=False)
    assert done.returncode == 1
    assert (
        "user_list.csv cannot be believed: 4 of 300 rows are refused, more than 1.0 %, "
        "most because SEX_ID is neither f nor m (first in line 6): mend the file or "
        "take a sound copy; the rows are in quarantine.quarantined_users"
    ) in " ".join(done.stdout.split())
    # what is wrong can be looked at, although the pairs were never built, and the marts
    # are those of before
    shown = built.python(
        "-m", "ml.query", "from quarantine.quarantined_users order by file_line limit 1"
    )
    assert "SEX_ID is neither f nor m" in shown.stdout
    assert len(refused(built)) == 4
    assert ask(
        built,
        "select n_rows_quarantined from quarantine.input_files "
        "where file_name = 'user_list'",
    ) == [(4,)]
    assert ask(built, "select * from core.dim_users order by user_id") == before


@pytest.mark.full
def test_without_the_optional_files_their_tables_are_empty(built):
    for source in declared_sources():
        if not source.is_required:
            (built.data_dir / f"{source.name}.csv").unlink()
    built.dbt("run", "--select", "+fct_visits", "+stg_coupons_test")
    assert ask(
        built,
        "select file_name from quarantine.input_files "
        "where not is_present and n_rows_read = 0 and quarantined_share is null "
        "order by file_name",
    ) == [
        ("coupon_area_test",),
        ("coupon_list_test",),
        ("coupon_visit_train",),
        ("prefecture_locations",),
    ]
    assert ask(built, "select * from core.fct_visits") == []
    assert refused(built) == []


@pytest.mark.full
def test_a_single_refused_row_never_stops_a_build(built):
    path = built.data_dir / "prefecture_locations.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines[:6], "x,y,0,0"]) + "\n", encoding="utf-8")
    # 1 of 6
    built.dbt("run", "--select", "+stg_prefecture_locations")
    assert [row[0] for row in refused(built)] == ["prefecture_locations"]


@pytest.mark.full
@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda d: (d / "user_list.csv").unlink(), "lacks user_list.csv"),
        (shutil.rmtree, "is not a directory"),
        (
            lambda d: (d / "coupon_list_train.csv").write_bytes(
                (d / "coupon_list_train.csv").read_bytes()[:-20].rsplit(b",", 4)[0]
            ),
            "the file breaks off after",
        ),
        (
            lambda d: (d / "user_list.csv").write_text(
                (d / "user_list.csv").read_text(encoding="utf-8"), encoding="cp932"
            ),
            "column PREF_NAME: not UTF-8 but, it seems, Shift_JIS (CP932)",
        ),
    ],
    ids=["missing file", "no directory", "cut off", "Shift_JIS"],
)
def test_a_file_that_cannot_be_used_leaves_the_warehouse_as_it_was(built, spoil, says):
    before = hashlib.sha256(built.database.read_bytes()).hexdigest()
    spoil(built.data_dir)
    done = built.dbt("build", check=False)
    assert done.returncode != 0
    assert says in " ".join(done.stdout.split())
    assert "Traceback" not in done.stdout + done.stderr
    assert hashlib.sha256(built.database.read_bytes()).hexdigest() == before
