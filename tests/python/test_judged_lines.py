"""What an incremental build judges of a visit log that has grown: the new lines."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest
from warehouses import World

INCREMENTAL = ("--vars", "{incremental: true}")
#: A page view with a coupon that is no id, and one without a user.
BAD = "0,2012-06-17 10:00:00,1,NA,coupon,{0},{0},NA\n".format("a" * 32)
WORSE = "0,2012-06-17 11:00:00,1,NA,{0},NA,{0},NA\n".format("a" * 32)
N_OLD = 100


def judge(world: World, *arguments: str) -> list[tuple[int, str]]:
    """Build the quarantine of the visit log; return its lines and texts."""
    world.dbt("run", "--select", "+quarantined_visits", *arguments)
    return refused(world)


def refused(world: World) -> list[tuple[int, str]]:
    with duckdb.connect(str(world.database), read_only=True) as connection:
        return connection.execute(
            "select file_line, raw_text from quarantine.quarantined_visits order by all"
        ).fetchall()


def change(world: World, statement: str) -> None:
    with duckdb.connect(str(world.database)) as connection:
        connection.execute(statement)


def mark(world: World) -> None:
    """Write into the rows that are there what judging them anew would not find."""
    change(world, "update quarantine.quarantined_visits set raw_text = 'kept'")


@pytest.fixture(scope="module")
def lines(sample_dir) -> list[str]:
    path = Path(sample_dir) / "coupon_visit_train.csv"
    return path.read_text(encoding="utf-8").splitlines(keepends=True)


@pytest.fixture
def world(sample_dir, lines, tmp_path) -> World:
    """A warehouse that has judged the beginning of a log, with a bad row in line 52."""
    directory = tmp_path / "files"
    shutil.copytree(sample_dir, directory)
    world = World(directory, tmp_path / "judged.duckdb")
    write(world, "".join([*lines[:51], BAD, *lines[51:N_OLD]]))
    assert judge(world, *INCREMENTAL) == [(52, BAD.strip())]
    mark(world)
    return world


def write(world: World, text: str) -> None:
    path = world.data_dir / "coupon_visit_train.csv"
    path.write_text(text, encoding="utf-8")


def add(world: World, text: str) -> None:
    path = world.data_dir / "coupon_visit_train.csv"
    write(world, path.read_text(encoding="utf-8") + text)


def test_new_lines_are_judged_and_old_ones_left(world, lines):
    # the header, 99 rows and the bad one are 101 lines
    add(world, WORSE + "".join(lines[N_OLD : N_OLD + 3]) + BAD)
    expected = [(52, "kept"), (102, WORSE.strip()), (106, BAD.strip())]
    assert judge(world, *INCREMENTAL) == expected
    # nothing has changed, and the log has grown again
    mark(world)
    assert judge(world, *INCREMENTAL) == [(n, "kept") for n in (52, 102, 106)]
    add(world, "x,y\n" + WORSE)
    # with a malformed row the whole file is read anew, so all of it is judged
    expected = [
        *[(52, BAD.strip()), (102, WORSE.strip()), (106, BAD.strip())],
        *[(107, "x,y"), (108, WORSE.strip())],
    ]
    assert judge(world, *INCREMENTAL) == expected
    mark(world)
    add(world, "x,z\n")
    kept = [(line, "kept") for line, _ in expected]
    assert judge(world, *INCREMENTAL) == [*kept, (109, "x,z")]


def test_where_old_lines_have_changed_all_are_judged(world, lines):
    other = lines[1].replace("0,", "1,", 1).replace("NA", "b" * 32)
    write(world, "".join([lines[0], other, *lines[2:51], BAD, WORSE]))
    assert judge(world, *INCREMENTAL) == [(52, BAD.strip()), (53, WORSE.strip())]


@pytest.mark.parametrize(
    "statement",
    [
        "drop table quarantine.quarantined_visits",
        "drop table quarantine.judged_files",
        "update quarantine.judged_files set project_fingerprint = 'of other code'",
        "update quarantine.judged_files set fingerprint = 'of another file'",
    ],
)
def test_what_nobody_knows_the_source_of_is_judged_anew(world, statement):
    change(world, statement)
    add(world, WORSE)
    expected = [(52, BAD.strip()), (102, WORSE.strip())]
    assert judge(world, *INCREMENTAL) == expected


@pytest.mark.parametrize("arguments", [(), (*INCREMENTAL, "--full-refresh")])
def test_all_lines_are_judged_unless_asked_otherwise(world, arguments):
    add(world, WORSE)
    expected = [(52, BAD.strip()), (102, WORSE.strip())]
    assert judge(world, *arguments) == expected
    # and an incremental build goes on from there
    mark(world)
    add(world, BAD)
    kept = [(52, "kept"), (102, "kept")]
    assert judge(world, *INCREMENTAL) == [*kept, (103, BAD.strip())]
