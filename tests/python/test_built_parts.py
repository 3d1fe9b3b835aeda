"""What an incremental build makes anew of models that are made part by part.

Rows that are there are marked, so that those which a build has left can be told from
those which it has made.
"""

from __future__ import annotations

import csv
import datetime as dt
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from warehouses import World, build_marts, cut_files

from ml.raw_files import find_raw_files

INCREMENTAL = ("--vars", "{incremental: true}")
QUARANTINE = ("--select", "+quarantined_visits")
VISITS = ("--select", "+fct_visits")
#: Histories in weeks, each with its week, and a column that no other is made of with
#: what marks it.
HISTORIES = {
    "int_user_weeks": ("week_start_date", "n_items", "-1"),
    "int_user_coupon_weeks": (
        *("week_start_date", "last_visited_at", "timestamp '1900-01-01'"),
    ),
    "int_user_prefecture_weeks": ("known_from_date - 7", "place_weight", "-1"),
    "int_user_attribute_weeks": ("known_from_date - 7", "n_views", "-1"),
}
WEEKS = ("--select", *(f"+{name}" for name in HISTORIES))
#: A page view with a coupon that is no id, and one without a user.
BAD = "0,2012-06-17 10:00:00,1,NA,coupon,{0},{0},NA\n".format("a" * 32)
WORSE = "0,2012-06-17 11:00:00,1,NA,{0},NA,{0},NA\n".format("a" * 32)
N_OLD, N_NEW = 100, 50
#: A day after all page views.
TOMORROW = "2012-06-25 12:00:00"
MARK = -1


def build(world: World, *arguments: str) -> None:
    build_marts(world, "--exclude-resource-type", "test", *arguments)


@dataclass(frozen=True)
class Copies:
    """Where tests change copies of one world: at one place, or dbt would parse anew."""

    base: World
    place: Path

    def world(self) -> World:
        """Return a copy of the base, in the place of the one before."""
        world = World(self.place / "files", self.place / "world.duckdb")
        shutil.rmtree(world.data_dir, ignore_errors=True)
        shutil.copytree(self.base.data_dir, world.data_dir)
        shutil.copy(self.base.database, world.database)
        # as if the warehouse had been built here
        find_raw_files(world.data_dir, Path(world.environment()["PONPARE_CACHE"]))
        return world

    def anew(self, *selection: str) -> World:
        """Return a world of the copy's files of which everything was built."""
        world = World(self.place / "files", self.place / "anew.duckdb")
        world.database.unlink(missing_ok=True)
        build(world, *selection)
        return world


def copies_of(source: Path, place: Path, log: str | None, *selection: str) -> Copies:
    """Build a base of copied files, with another visit log if one is given."""
    files, database = place / "base", place / "base.duckdb"
    shutil.copytree(source, files)
    base = World(files, database)
    if log is not None:
        write(base, log)
    build(base, *selection, *INCREMENTAL)
    return Copies(base, place)


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


def edit(world: World, name: str, edited: Callable[[dict], dict | None]) -> None:
    """Write a file again with each row changed; None leaves it out."""
    path = world.data_dir / f"{name}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        header, kept = reader.fieldnames, [edited(row) for row in reader]
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


@pytest.fixture(scope="module")
def short_logs(sample_dir, lines, tmp_path_factory) -> Copies:
    text = "".join([*lines[:51], BAD, *lines[51:N_OLD]])
    return copies_of(sample_dir, tmp_path_factory.mktemp("judged"), text, *QUARANTINE)


@pytest.fixture
def short_log(short_logs) -> World:
    """A warehouse that has judged the beginning of a log, with a bad row in line 52."""
    world = short_logs.world()
    mark_refused(world)
    return world


@pytest.mark.full
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
        "drop table staging.built_parts",
        "insert into quarantine.quarantined_visits by name select * replace "
        "(99 as file_line) from quarantine.quarantined_visits",
        "update staging.built_parts set input_fingerprint = 'of something else'",
    ],
)
def test_what_nobody_knows_the_source_of_is_judged_anew(short_log, statement):
    change(short_log, statement)
    add(short_log, WORSE)
    expected = [(52, BAD.strip()), (102, WORSE.strip())]
    assert judge(short_log, *INCREMENTAL) == expected


@pytest.mark.full
def test_a_warehouse_of_an_older_version_is_built_on(short_log):
    change(short_log, "alter table staging.built_parts drop column is_tested")
    assert judge(short_log, *INCREMENTAL) == [(52, "kept")]
    # the column is there again
    assert rows(short_log, "select is_tested from staging.built_parts") == [(None,)]


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


@pytest.fixture(scope="module")
def logs(sample_dir, lines, tmp_path_factory) -> Copies:
    text = "".join(lines[:-N_NEW])
    return copies_of(sample_dir, tmp_path_factory.mktemp("visits"), text, *VISITS)


@pytest.fixture
def log(logs) -> World:
    """A warehouse with all page views but the last, all marked."""
    world = logs.world()
    change(world, f"update core.fct_visits set page_serial = {MARK}")
    return world


def kept_and_made(world: World) -> tuple[int, int]:
    (counted,) = rows(
        world,
        f"select count(*) filter (page_serial = {MARK}), "
        f"count(*) filter (page_serial is distinct from {MARK}) from core.fct_visits",
    )
    return counted


def check_visits(world: World, logs: Copies) -> None:
    """Compare page views, all but the marks, with those of a build of everything."""
    query = """
        select user_hash, coupon_hash, session_hash, visits.* exclude page_serial
        from core.fct_visits as visits
        inner join intermediate.int_user_keys using (user_id)
        inner join intermediate.int_coupon_keys using (coupon_id)
        inner join intermediate.int_session_keys using (session_id)
        order by all
    """
    assert rows(world, query) == rows(logs.anew(*VISITS), query)


@pytest.mark.full
def test_new_page_views_are_added(log, logs, lines):
    add(log, "".join(lines[-N_NEW:]))
    build(log, *VISITS, *INCREMENTAL)
    n_old = len(lines) - N_NEW - 1
    assert kept_and_made(log) == (n_old, N_NEW)
    after = "select distinct after_line from intermediate.int_visit_hashes order by all"
    assert rows(log, after) == [(0,), (n_old + 1,)]
    check_visits(log, logs)


@pytest.mark.full
def test_page_views_that_stay_say_what_the_lists_say_now(log, logs, lines):
    # whose keys stay as they are, for they were looked at before their sale began
    (gone, later) = rows(
        log,
        """
        select coupon_hash
        from core.dim_coupons
        inner join core.fct_visits using (coupon_id)
        where is_before_sale and not is_test_list
        group by all
        having min(visited_at) < min(sale_start_at)
        order by all
        limit 2
        """,
    )
    # and who did something before anybody else was seen first
    ((left,),) = rows(
        log,
        """
        select user_hash
        from core.dim_users as users
        inner join core.fct_visits as visits using (user_id)
        group by user_id, user_hash
        having min(visited_at) < (
            select coalesce(min(registered_at), timestamp '2100-01-01')
            from core.dim_users as others
            where others.user_id > users.user_id
        )
        order by user_id desc
        limit 1
        """,
    )

    def without_one_and_one_later(row: dict) -> dict | None:
        if row["COUPON_ID_hash"] == later[0]:
            row = row | {"DISPFROM": TOMORROW, "DISPEND": TOMORROW}
        return None if row["COUPON_ID_hash"] == gone[0] else row

    edit(log, "coupon_list_train", without_one_and_one_later)
    edit(log, "user_list", lambda row: None if row["USER_ID_hash"] == left else row)
    add(log, "".join(lines[-N_NEW:]))
    build(log, *VISITS, *INCREMENTAL)
    assert kept_and_made(log) == (len(lines) - N_NEW - 1, N_NEW)
    flags = """
        select distinct is_listed_coupon, is_before_sale
        from core.fct_visits inner join intermediate.int_coupon_keys using (coupon_id)
        where coupon_hash = '{}'
    """
    assert rows(log, flags.format(gone[0])) == [(False, None)]
    assert rows(log, flags.format(later[0])) == [(True, True)]
    check_visits(log, logs)


@pytest.mark.full
def test_other_keys_have_all_page_views_made_anew(log, logs, lines):
    add(log, "".join(lines[-N_NEW:]))
    ((first,),) = rows(log, "select min(registered_at) from core.dim_users")
    ((latest,),) = rows(
        log, "select user_hash from core.dim_users order by user_id desc limit 1"
    )
    # the last of all had registered before everybody
    edit(
        log,
        "user_list",
        lambda row: (
            row | {"REG_DATE": str(first - dt.timedelta(days=1))}
            if row["USER_ID_hash"] == latest
            else row
        ),
    )
    build(log, *VISITS, *INCREMENTAL)
    assert kept_and_made(log) == (0, len(lines) - 1)
    check_visits(log, logs)


@pytest.mark.full
@pytest.mark.parametrize(
    "selection",
    [
        ("fct_visits",),
        ("int_visit_hashes", "int_session_keys", "int_user_keys", "fct_visits"),
        ("+fct_visits", "--empty"),
    ],
    ids=["alone", "without the quarantine", "of no rows"],
)
def test_of_what_only_a_part_was_built_is_made_anew(log, logs, lines, selection):
    bad = lines[-1].rstrip("\n").rsplit(",", 1)[0] + ",no id\n"
    add(log, "".join([*lines[-N_NEW:-1], bad]))
    log.dbt("run", *INCREMENTAL, "--select", *selection)
    build(log, *VISITS, *INCREMENTAL)
    check_visits(log, logs)


@pytest.mark.full
def test_a_log_with_other_line_ends_is_not_added_to_itself(sample_dir, lines, tmp_path):
    directory = tmp_path / "files"
    shutil.copytree(sample_dir, directory)
    world = World(directory, tmp_path / "returns.duckdb")
    path = directory / "coupon_visit_train.csv"
    path.write_bytes("".join(lines[: N_OLD + 1]).replace("\n", "\r").encode())
    for _ in range(2):
        build(world, *VISITS, *INCREMENTAL)
        assert rows(world, "select count(*) from core.fct_visits") == [(N_OLD,)]


# Histories in weeks


@pytest.fixture(scope="module")
def all_histories(sample_dir, tmp_path_factory) -> Copies:
    return copies_of(sample_dir, tmp_path_factory.mktemp("histories"), None, *WEEKS)


@pytest.fixture
def histories(all_histories) -> World:
    """A warehouse with histories of the whole sample, all marked."""
    world = all_histories.world()
    mark_histories(world)
    return world


def mark_histories(world: World) -> None:
    for name, (_, column, mark) in HISTORIES.items():
        change(world, f"update intermediate.{name} set {column} = {mark}")


def made_weeks(world: World) -> dict[str, list[dt.date]]:
    """Return the weeks of which rows were made since the marks, by history."""
    return {
        name: [
            week
            for (week,) in rows(
                world,
                f"select distinct cast({week} as date) from intermediate.{name} "
                f"where {column} is distinct from {mark} order by all",
            )
        ]
        for name, (week, column, mark) in HISTORIES.items()
    }


def check_histories(world: World, all_histories: Copies) -> None:
    """Compare with a build of everything: what was made, and all else but the marks."""
    anew = all_histories.anew(*WEEKS)
    for name, (week, column, _) in HISTORIES.items():
        for columns, weeks in (
            ("*", made_weeks(world)[name]),
            (f"* exclude {column}", None),
        ):
            query = f"select {columns} from intermediate.{name} "
            if weeks is not None:
                dates = ", ".join(f"date '{day}'" for day in weeks) or "null"
                query += f"where cast({week} as date) in ({dates}) "
            query += "order by all"
            assert rows(world, query) == rows(anew, query), name


@pytest.mark.full
def test_a_week_is_made_that_has_come(histories, all_histories, sample_dir):
    new = dt.date(2012, 6, 17)
    shutil.rmtree(histories.data_dir)
    cut_files(sample_dir, histories.data_dir, new)
    # the files as they were: of the last week nothing is left
    build(histories, *WEEKS, *INCREMENTAL)
    mark_histories(histories)
    shutil.copytree(sample_dir, histories.data_dir, dirs_exist_ok=True)
    build(histories, *WEEKS, *INCREMENTAL)
    for weeks in made_weeks(histories).values():
        assert weeks[0] == new
        # of coupons that were looked at before they came out
        assert weeks[1:] in ([], [new + dt.timedelta(days=7)])
    check_histories(histories, all_histories)

    # nothing has changed
    mark_histories(histories)
    build(histories, *WEEKS, *INCREMENTAL)
    assert made_weeks(histories) == {name: [] for name in HISTORIES}


@pytest.mark.full
def test_a_week_is_made_of_which_a_purchase_is_taken_back(histories, all_histories):
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
    made = made_weeks(histories)
    assert made["int_user_weeks"] == [dt.date(2012, 4, 15)]
    assert made["int_user_coupon_weeks"] == [dt.date(2012, 4, 15)]
    check_histories(histories, all_histories)


@pytest.mark.full
def test_tests_look_at_weeks_until_they_are_tested(histories):
    name = "int_user_attribute_weeks"
    tested = (
        *("build", "--exclude-resource-type", "unit_test", *INCREMENTAL),
        *("--select", f"+{name}", "--indirect-selection", "cautious"),
    )
    failing = f"in_range_{name}_n_views"

    def untested() -> list[dt.date]:
        return [
            week
            for (week,) in rows(
                histories,
                "select cast(part as date) from staging.built_parts "
                f"where model_name = '{name}' and not is_tested order by all",
            )
        ]

    # no test has run: all weeks are looked at, and the marks are values out of range
    assert len(untested()) > 40
    assert failing in histories.dbt(*tested, check=False).stdout

    # as if a build had come to its end
    change(histories, "update staging.built_parts set is_tested = true")
    ((taken_back,),) = rows(
        histories,
        "select min(purchase_hash) from core.fct_purchases where is_listed_user "
        "and is_listed_coupon and purchase_date = '2012-04-18'",
    )
    edit(
        histories,
        "coupon_detail_train",
        lambda row: None if row["PURCHASEID_hash"] == taken_back else row,
    )
    histories.dbt(*tested)
    (week,) = made_weeks(histories)[name]
    assert untested() == [week]

    # what this build made, and nobody has tested, is not passed over by the next
    change(
        histories,
        f"update intermediate.{name} set n_views = {MARK} "
        f"where known_from_date = date '{week}' + 7",
    )
    assert failing in histories.dbt(*tested, check=False).stdout

    # nor is anything where nobody knows what the rows are made of
    change(histories, "update staging.built_parts set is_tested = true")
    alone = [argument.replace(f"+{name}", name) for argument in tested]
    assert failing in histories.dbt(*alone, check=False).stdout


@pytest.mark.full
def test_weeks_are_made_in_which_something_else_was_on_sale(histories, all_histories):
    # of a coupon that nobody looked at
    ((unseen, begins, ends),) = rows(
        histories,
        """
        select coupon_hash, sale_start_at, sale_end_at
        from core.dim_coupons
        where
            sale_end_at between '2011-10-01' and '2012-05-01'
            and coupon_id not in (select coupon_id from core.fct_visits)
            and coupon_id not in (select coupon_id from core.fct_purchases)
        order by coupon_id
        limit 1
        """,
    )
    later = ends + dt.timedelta(days=7)
    edit_coupon(histories, unseen, {"DISPEND": str(later)})
    build(histories, *WEEKS, *INCREMENTAL)
    made = made_weeks(histories)["int_user_attribute_weeks"]
    assert sunday_of(later) in made
    assert min(made) >= sunday_of(begins)
    assert max(made) == sunday_of(later)
    check_histories(histories, all_histories)


@pytest.mark.full
def test_weeks_are_made_of_a_coupon_that_is_another(histories, all_histories):
    ((coupon, genre_ja),) = rows(
        histories,
        "select coupon_hash, genre_ja from core.dim_coupons "
        "inner join core.fct_visits using (coupon_id) "
        "where not is_test_list group by all "
        "order by count(*) desc, coupon_hash limit 1",
    )
    ((other,),) = rows(
        histories,
        f"select min(genre_ja) from core.dim_coupons where genre_ja != '{genre_ja}'",
    )
    ((n_weeks,),) = rows(
        histories,
        f"""
        select count(distinct week_start_date)
        from intermediate.int_user_coupon_weeks
        inner join intermediate.int_coupon_keys using (coupon_id)
        where coupon_hash = '{coupon}'
        """,
    )
    edit_coupon(histories, coupon, {"GENRE_NAME": other})
    build(histories, *WEEKS, *INCREMENTAL)
    for weeks in made_weeks(histories).values():
        assert n_weeks <= len(weeks) < 20
    check_histories(histories, all_histories)


@pytest.mark.full
def test_a_coupon_that_comes_out_leaves_the_cutoffs_before_it(histories):
    # looked at in a week before that of its release
    ((coupon, release, first_look),) = rows(
        histories,
        """
        select
            coupon_hash,
            release_week_date,
            cast(min(visited_at) as date)
        from core.dim_coupons inner join core.fct_visits using (coupon_id)
        where not is_test_list
        group by coupon_hash, release_week_date
        order by date_diff('day', min(visited_at), release_week_date) desc, coupon_hash
        limit 1
        """,
    )
    assert first_look < release
    inputs = ("--select", "+int_week_inputs")
    query = "select week_start_date, hash_sum from intermediate.int_week_inputs"
    build(histories, *inputs, *INCREMENTAL)
    listed = dict(rows(histories, query))
    edit(
        histories,
        "coupon_list_train",
        lambda row: None if row["COUPON_ID_hash"] == coupon else row,
    )
    build(histories, *inputs, *INCREMENTAL)
    unlisted = dict(rows(histories, query))
    assert listed.keys() == unlisted.keys()
    assert min(week for week in listed if listed[week] != unlisted[week]) == release


def sunday_of(time: dt.datetime) -> dt.date:
    return time.date() - dt.timedelta(days=time.isoweekday() % 7)


def edit_coupon(world: World, coupon_hash: str, values: dict) -> None:
    edit(
        world,
        "coupon_list_train",
        lambda row: row | values if row["COUPON_ID_hash"] == coupon_hash else row,
    )


@pytest.mark.full
def test_of_weeks_of_which_only_a_part_was_built_all_are_made(histories, all_histories):
    # the coupons are others, what they stand for is not looked up
    ((coupon, genre_ja),) = rows(
        histories,
        "select coupon_hash, genre_ja from core.dim_coupons "
        "inner join core.fct_purchases using (coupon_id) where not is_test_list "
        "order by coupon_hash limit 1",
    )
    ((other,),) = rows(
        histories,
        f"select min(genre_ja) from core.dim_coupons where genre_ja != '{genre_ja}'",
    )
    edit_coupon(histories, coupon, {"GENRE_NAME": other})
    selection = ["int_user_coupon_weeks", "int_user_attribute_weeks"]
    behind = ["+dim_coupons", "+fct_purchases", "+fct_visits", "int_event_inputs"]
    histories.dbt("run", *INCREMENTAL, "--select", *behind, *selection)
    build(histories, *WEEKS, *INCREMENTAL)
    check_histories(histories, all_histories)


@pytest.mark.full
def test_histories_of_unknown_source_are_made_anew(histories, all_histories):
    change(histories, "drop table staging.built_parts")
    alone = ("run", "--select", "int_user_weeks", *INCREMENTAL)
    histories.dbt(*alone)
    check_histories(histories, all_histories)
