"""What an incremental build makes anew of models that are made part by part.

Rows that are there are marked, so that those which a build has left can be told from
those which it has made.
"""

from __future__ import annotations

import csv
import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from warehouses import World, build_marts, cut_files

INCREMENTAL = ("--vars", "{incremental: true}")
QUARANTINE = ("--select", "+quarantined_visits")
VISITS = ("--select", "+fct_visits")
#: Histories in weeks, each with its week and a column that is marked.
HISTORIES = {
    "int_user_weeks": ("week_start_date", "n_items"),
    "int_user_coupon_weeks": ("week_start_date", "n_purchases"),
    "int_user_prefecture_weeks": ("known_from_date - 7", "place_weight"),
    "int_user_attribute_weeks": ("known_from_date - 7", "n_views"),
}
WEEKS = ("--select", *(f"+{name}" for name in HISTORIES))
#: A page view with a coupon that is no id, and one without a user.
BAD = "0,2012-06-17 10:00:00,1,NA,coupon,{0},{0},NA\n".format("a" * 32)
WORSE = "0,2012-06-17 11:00:00,1,NA,{0},NA,{0},NA\n".format("a" * 32)
N_OLD = 100
MARK = -1


def build(world: World, *arguments: str) -> None:
    build_marts(world, "--exclude-resource-type", "test", *arguments)


def rows(world: World, query: str) -> list[tuple]:
    with duckdb.connect(str(world.database), read_only=True) as connection:
        return connection.execute(query).fetchall()


def change(world: World, statement: str) -> None:
    with duckdb.connect(str(world.database)) as connection:
        connection.execute(statement)


@pytest.fixture(scope="module")
def lines(sample_dir) -> list[str]:
    path = Path(sample_dir) / "coupon_visit_train.csv"
    return path.read_text(encoding="utf-8").splitlines(keepends=True)


def write(world: World, text: str) -> None:
    path = world.data_dir / "coupon_visit_train.csv"
    path.write_text(text, encoding="utf-8")


def add(world: World, text: str) -> None:
    path = world.data_dir / "coupon_visit_train.csv"
    write(world, path.read_text(encoding="utf-8") + text)


def edit(world: World, name: str, change: Callable[[dict], dict | None]) -> None:
    """Write a file again with each row changed; None leaves it out."""
    path = world.data_dir / f"{name}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        header, kept = reader.fieldnames, [change(row) for row in reader]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, header, lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for row in kept if row is not None)


# What is refused of the visit log


def judge(world: World, *arguments: str) -> list[tuple[int, str]]:
    """Build the quarantine of the visit log; return its lines and texts."""
    build(world, *QUARANTINE, *arguments)
    return rows(
        world,
        "select file_line, raw_text from quarantine.quarantined_visits order by all",
    )


def mark_refused(world: World) -> None:
    change(world, "update quarantine.quarantined_visits set raw_text = 'kept'")


@pytest.fixture
def short_log(sample_dir, lines, tmp_path) -> World:
    """A warehouse that has judged the beginning of a log, with a bad row in line 52."""
    directory = tmp_path / "files"
    shutil.copytree(sample_dir, directory)
    world = World(directory, tmp_path / "judged.duckdb")
    write(world, "".join([*lines[:51], BAD, *lines[51:N_OLD]]))
    assert judge(world, *INCREMENTAL) == [(52, BAD.strip())]
    mark_refused(world)
    return world


def test_new_lines_are_judged_and_old_ones_left(short_log, lines):
    # the header, 99 rows and the bad one are 101 lines
    add(short_log, WORSE + "".join(lines[N_OLD : N_OLD + 3]) + BAD)
    expected = [(52, "kept"), (102, WORSE.strip()), (106, BAD.strip())]
    assert judge(short_log, *INCREMENTAL) == expected
    # nothing has changed
    mark_refused(short_log)
    assert judge(short_log, *INCREMENTAL) == [(n, "kept") for n in (52, 102, 106)]


@pytest.mark.full
def test_a_malformed_row_has_the_whole_log_judged_once(short_log):
    add(short_log, "x,y\n" + WORSE)
    # with a malformed row the whole file is read anew, so all of it is judged
    expected = [(52, BAD.strip()), (102, "x,y"), (103, WORSE.strip())]
    assert judge(short_log, *INCREMENTAL) == expected
    mark_refused(short_log)
    add(short_log, "x,z\n")
    kept = [(line, "kept") for line, _ in expected]
    assert judge(short_log, *INCREMENTAL) == [*kept, (104, "x,z")]


@pytest.mark.full
def test_where_old_lines_have_changed_all_are_judged(short_log, lines):
    other = lines[1].replace("0,", "1,", 1).replace("NA", "b" * 32)
    write(short_log, "".join([lines[0], other, *lines[2:51], BAD, WORSE]))
    assert judge(short_log, *INCREMENTAL) == [(52, BAD.strip()), (53, WORSE.strip())]


@pytest.mark.full
@pytest.mark.parametrize(
    "statement",
    [
        "drop table quarantine.quarantined_visits",
        "drop table staging.built_parts",
        "update staging.built_parts set input_fingerprint = 'of something else'",
    ],
)
def test_what_nobody_knows_the_source_of_is_judged_anew(short_log, statement):
    change(short_log, statement)
    add(short_log, WORSE)
    expected = [(52, BAD.strip()), (102, WORSE.strip())]
    assert judge(short_log, *INCREMENTAL) == expected


@pytest.mark.full
@pytest.mark.parametrize("arguments", [(), (*INCREMENTAL, "--full-refresh")])
def test_all_lines_are_judged_unless_asked_otherwise(short_log, arguments):
    add(short_log, WORSE)
    expected = [(52, BAD.strip()), (102, WORSE.strip())]
    assert judge(short_log, *arguments) == expected
    # and an incremental build goes on from there
    mark_refused(short_log)
    add(short_log, BAD)
    kept = [(52, "kept"), (102, "kept")]
    assert judge(short_log, *INCREMENTAL) == [*kept, (103, BAD.strip())]


# Page views with their keys


@pytest.fixture
def log(sample_dir, lines, tmp_path) -> World:
    """A warehouse with the page views of the first lines, all marked."""
    directory = tmp_path / "files"
    shutil.copytree(sample_dir, directory)
    world = World(directory, tmp_path / "visits.duckdb")
    write(world, "".join(lines[: N_OLD + 1]))
    build(world, *VISITS, *INCREMENTAL)
    mark_visits(world)
    return world


def mark_visits(world: World) -> None:
    change(world, f"update core.fct_visits set page_serial = {MARK}")


def kept_and_made(world: World) -> tuple[int, int]:
    (counted,) = rows(
        world,
        f"select count(*) filter (page_serial = {MARK}), "
        f"count(*) filter (page_serial is distinct from {MARK}) from core.fct_visits",
    )
    return counted


def visits_without_serials(world: World) -> list[tuple]:
    return rows(
        world,
        """
        select user_hash, coupon_hash, session_hash, visits.* exclude page_serial
        from core.fct_visits as visits
        inner join intermediate.int_user_keys using (user_id)
        inner join intermediate.int_coupon_keys using (coupon_id)
        inner join intermediate.int_session_keys using (session_id)
        order by all
        """,
    )


def test_new_page_views_are_added(log, lines, tmp_path):
    add(log, "".join(lines[N_OLD + 1 : N_OLD + 51]))
    build(log, *VISITS, *INCREMENTAL)
    assert kept_and_made(log) == (N_OLD, 50)
    after = "select distinct after_line from intermediate.int_visit_hashes order by all"
    assert rows(log, after) == [(0,), (N_OLD + 1,)]
    anew = World(log.data_dir, tmp_path / "anew.duckdb")
    build(anew, *VISITS)
    assert visits_without_serials(log) == visits_without_serials(anew)


@pytest.mark.full
def test_page_views_that_stay_say_what_the_lists_say_now(log, lines, tmp_path):
    add(log, "".join(lines[N_OLD + 1 : N_OLD + 51]))
    columns = [line.split(",") for line in lines[1 : N_OLD + 1]]
    viewed = {row[4] for row in columns}
    listed = {
        coupon: start
        for coupon, start in rows(
            log, "select coupon_hash, sale_start_at from core.dim_coupons"
        )
        if coupon in viewed
    }
    gone, later, *_ = sorted(listed, key=listed.get)
    left = next(row[5] for row in columns)

    def without_one_and_one_later(row: dict) -> dict | None:
        if row["COUPON_ID_hash"] == later:
            # keys of coupons stay: it was looked at before
            row = row | {"DISPFROM": "2012-06-20 12:00:00"}
        return None if row["COUPON_ID_hash"] == gone else row

    edit(log, "coupon_list_train", without_one_and_one_later)
    edit(log, "user_list", lambda row: None if row["USER_ID_hash"] == left else row)
    # the keys that page views have stay as they are if nobody else comes before them
    build(log, *VISITS, *INCREMENTAL)
    anew = World(log.data_dir, tmp_path / "anew.duckdb")
    build(anew, *VISITS)
    assert visits_without_serials(log) == visits_without_serials(anew)
    flags = """
        select distinct coupon_hash, is_listed_coupon, is_before_sale
        from core.fct_visits inner join intermediate.int_coupon_keys using (coupon_id)
        where coupon_hash in ('{}', '{}')
    """
    assert sorted(rows(log, flags.format(gone, later))) == sorted(
        [(gone, False, None), (later, True, True)]
    )


@pytest.mark.full
def test_other_keys_have_all_page_views_made_anew(log, lines, tmp_path):
    add(log, "".join(lines[N_OLD + 1 : N_OLD + 51]))
    ((first,),) = rows(log, "select min(registered_at) from core.dim_users")
    # a user turns up who had registered before everybody
    edit_one = iter([first - dt.timedelta(days=1)])

    def older(row: dict) -> dict:
        registered = next(edit_one, None)
        return row | {"REG_DATE": f"{registered}"} if registered else row

    edit(log, "user_list", older)
    build(log, *VISITS, *INCREMENTAL)
    assert kept_and_made(log) == (0, N_OLD + 50)
    anew = World(log.data_dir, tmp_path / "anew.duckdb")
    build(anew, *VISITS)
    assert visits_without_serials(log) == visits_without_serials(anew)


# Histories in weeks


@pytest.fixture(scope="module")
def histories(sample_dir, tmp_path_factory) -> World:
    """A warehouse with histories up to June 17."""
    directory = tmp_path_factory.mktemp("histories")
    files = cut_files(sample_dir, directory / "files", dt.date(2012, 6, 17))
    world = World(files, directory / "histories.duckdb")
    build(world, *WEEKS, *INCREMENTAL)
    return world


def mark_histories(world: World) -> None:
    for name, (_, column) in HISTORIES.items():
        change(world, f"update intermediate.{name} set {column} = {MARK}")


def made_weeks(world: World, name: str) -> list[dt.date]:
    """Return the weeks of which a history has rows that were made since the marks."""
    week, column = HISTORIES[name]
    found = rows(
        world,
        f"select distinct cast({week} as date) from intermediate.{name} "
        f"where {column} != {MARK} order by all",
    )
    return [row[0] for row in found]


@pytest.mark.full
def test_weeks_are_made_that_have_changed(histories, sample_dir, tmp_path):
    mark_histories(histories)
    for path in sample_dir.glob("*.csv"):
        shutil.copy(path, histories.data_dir)
    build(histories, *WEEKS, *INCREMENTAL)
    new = dt.date(2012, 6, 17)
    for name in HISTORIES:
        assert made_weeks(histories, name) == [new], name

    # nothing has changed
    mark_histories(histories)
    build(histories, *WEEKS, *INCREMENTAL)
    assert [made_weeks(histories, name) for name in HISTORIES] == [[]] * 4

    # a purchase was taken back
    april = dt.date(2012, 4, 15)
    ((taken_back,),) = rows(
        histories,
        "select purchase_hash from core.fct_purchases where is_listed_user "
        "and is_listed_coupon and purchased_at between '2012-04-18' and '2012-04-19' "
        "order by purchased_at limit 1",
    )
    edit(
        histories,
        "coupon_detail_train",
        lambda row: None if row["PURCHASEID_hash"] == taken_back else row,
    )
    build(histories, *WEEKS, *INCREMENTAL)
    for name in ("int_user_weeks", "int_user_coupon_weeks"):
        assert made_weeks(histories, name) == [april], name

    # the sale of a coupon that nobody looked at ended later: more was on offer
    mark_histories(histories)
    ((unseen,),) = rows(
        histories,
        """
        select coupon_hash from core.dim_coupons
        where
            sale_end_at between '2012-03-05' and '2012-03-09'
            and coupon_id not in (select coupon_id from core.fct_visits)
            and coupon_id not in (select coupon_id from core.fct_purchases)
        limit 1
        """,
    )
    edit(
        histories,
        "coupon_list_train",
        lambda row: (
            row | {"DISPEND": "2012-03-13 12:00:00"}
            if row["COUPON_ID_hash"] == unseen
            else row
        ),
    )
    build(histories, *WEEKS, *INCREMENTAL)
    made = made_weeks(histories, "int_user_attribute_weeks")
    assert dt.date(2012, 3, 11) in made
    assert min(made) >= dt.date(2012, 2, 19)
    assert max(made) == dt.date(2012, 3, 11)

    # and all is as if it had been built anew
    anew = World(histories.data_dir, tmp_path / "anew.duckdb")
    build(anew, *WEEKS)
    weeks = made_weeks(histories, "int_user_attribute_weeks")
    for name, (week, column) in HISTORIES.items():
        query = (
            f"select * exclude {column} from intermediate.{name} "
            f"where cast({week} as date) in ({', '.join(map(repr, map(str, weeks)))}) "
            "order by all"
        )
        assert rows(histories, query) == rows(anew, query), name


@pytest.mark.full
def test_of_a_coupon_that_is_another_all_its_weeks_are_made(histories):
    mark_histories(histories)
    ((coupon, genre_ja),) = rows(
        histories,
        "select coupon_hash, genre_ja from core.dim_coupons "
        "inner join core.fct_visits using (coupon_id) "
        "where not is_test_list group by all order by count(*) desc limit 1",
    )
    others = rows(
        histories,
        f"select genre_ja from core.dim_coupons where genre_ja != '{genre_ja}' limit 1",
    )
    seen = rows(
        histories,
        f"""
        select distinct week_start_date
        from intermediate.int_user_coupon_weeks
        inner join intermediate.int_coupon_keys using (coupon_id)
        where coupon_hash = '{coupon}'
        """,
    )
    edit(
        histories,
        "coupon_list_train",
        lambda row: (
            row | {"GENRE_NAME": others[0][0]}
            if row["COUPON_ID_hash"] == coupon
            else row
        ),
    )
    build(histories, *WEEKS, *INCREMENTAL)
    made = made_weeks(histories, "int_user_coupon_weeks")
    assert {week for (week,) in seen} <= set(made)
    assert len(made) < 20
