"""Rows of raw files in the cache: kept, added to, and never anything but the file."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from build_raw_files import COLUMNS, csv_text, write_csv, write_zip

from ml import csv_checks, raw_cache, raw_schema
from ml.csv_checks import Facts, MalformedRow
from ml.raw_files import RawFile, RawFileError, find_raw_files

NAME = "user_list"
USERS = csv_text(NAME, [{"AGE": str(n)} for n in range(5)])
QUOTED = 'x,"x\nx",7,x,x,x\n'


def found_in(data_dir: Path, cache_dir: Path) -> list[RawFile]:
    return find_raw_files(data_dir, cache_dir)


def users(data_dir: Path, cache_dir: Path) -> RawFile:
    files = found_in(data_dir, cache_dir)
    return next(file for file in files if file.source.name == NAME)


def write(data_dir: Path, text: str | bytes) -> None:
    content = text if isinstance(text, bytes) else text.encode()
    (data_dir / f"{NAME}.csv").write_bytes(content)


def rows_of(data_dir: Path, cache_dir: Path) -> list[tuple]:
    """Return what the views show of the file, and what was set aside of it."""
    with duckdb.connect(config={"preserve_insertion_order": False}) as connection:
        raw_schema.create(connection, found_in(data_dir, cache_dir))
        return [
            row
            for table, order in (("user_list", 7), ("malformed_rows", 2))
            for row in connection.execute(
                f"from raw.{table} order by {order}"
            ).fetchall()
        ]


def kept(cache_dir: Path) -> set[str]:
    """Return the names of all files in the cache."""
    return {path.name for path in cache_dir.rglob("*") if path.is_file()}


# Files that stay the same


def test_what_was_read_is_read_no_more(data_dir, cache_dir, monkeypatch):
    first = found_in(data_dir, cache_dir)
    monkeypatch.setattr(csv_checks, "read_file", None)
    assert found_in(data_dir, cache_dir) == first


def test_rows_are_read_from_the_cache(data_dir, cache_dir):
    write(data_dir, USERS)
    (part,) = users(data_dir, cache_dir).parts
    with duckdb.connect() as connection:
        found = connection.execute(f"describe from '{part.path}'").fetchall()
        assert [row[:2] for row in found] == [
            (column, "VARCHAR") for column in COLUMNS[NAME]
        ]
        ages = connection.execute(f"select AGE from '{part.path}'").fetchall()
    assert ages == [(str(n),) for n in range(5)]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(Path.unlink, id="gone"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: os.truncate(path, 100), id="cut off"),
        pytest.param(
            lambda path: path.write_bytes(b"\0" * path.stat().st_size), id="zeros"
        ),
    ],
)
def test_a_part_that_is_not_as_it_was_written_is_written_anew(
    data_dir, cache_dir, damage
):
    expected = rows_of(data_dir, cache_dir)
    (part,) = users(data_dir, cache_dir).parts
    damage(part.path)
    assert rows_of(data_dir, cache_dir) == expected


@pytest.mark.parametrize(
    "damage",
    [
        lambda reading: reading.pop("facts"),
        lambda reading: reading["facts"].pop("n_rows"),
        lambda reading: reading["parts"][0].pop("n_rows"),
        lambda reading: reading.update(checks="of another version"),
    ],
)
def test_a_register_of_another_shape_is_not_believed(data_dir, cache_dir, damage):
    expected = users(data_dir, cache_dir)
    (register,) = cache_dir.rglob("facts.json")
    known = json.loads(register.read_text(encoding="utf-8"))
    damage(known[NAME])
    register.write_text(json.dumps(known), encoding="utf-8")
    assert users(data_dir, cache_dir) == expected


# Files that have grown


@pytest.mark.parametrize(
    ("before", "added"),
    [
        pytest.param(USERS, QUOTED.replace("\n", ""), id="no end"),
        pytest.param(USERS.rstrip(), "\nx,x,8,x,x,x\n", id="no end before"),
        # the row before had not ended: what is added belongs to its last field
        pytest.param(USERS.rstrip(), "x,x\nx,x,8,x,x,x\n", id="a row goes on"),
        pytest.param(USERS.replace("\n", "\r\n"), "x,x,8,x,x,x\r\n", id="CRLF"),
        pytest.param(USERS.replace("\n", "\r"), "x,x,8,x,x,x\r", id="CR"),
        pytest.param(USERS, 'x,"x\r\nx",8,x,x,x\n', id="a quoted CRLF"),
        pytest.param(USERS, "x,x\nx,x,8,x,x,x\n", id="the first malformed row"),
        pytest.param(USERS, QUOTED, id="the first row of two lines"),
        pytest.param(USERS, "\n\nx,x,8,x,x,x\n", id="the first blank lines"),
    ],
)
def test_in_doubt_a_file_that_has_grown_is_read_anew(
    data_dir, cache_dir, tmp_path, before, added
):
    check_growth(data_dir, cache_dir, tmp_path, before, added, n_parts=1)


ODD = USERS + "x,x\n" + QUOTED + "\n"


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize(
    ("before", "added"),
    [
        pytest.param(USERS, "x,x,8,NA,東京都,x\n" * 3, id="rows"),
        pytest.param(csv_text(NAME, [{}]), "\ufeffx,x,8,x,x,x\n", id="a mark within"),
        pytest.param(USERS, 'x,"a ""b"", c",8,x,"",NA\n', id="quotes"),
        pytest.param(ODD, "x,x,8,x,x,x\n", id="after odd lines"),
        pytest.param(ODD, ODD[len(csv_text(NAME, [])) :], id="odd lines again"),
        pytest.param(ODD, "\n\nx,x,8,x,x,x\n", id="blank lines"),
        pytest.param(ODD, "x,x,8,x,x,x,x\nx,x,9,x,x,x\nx\n", id="malformed rows"),
        pytest.param(ODD, QUOTED * 2 + "x,x,9,x,x,x\n", id="rows of two lines"),
        pytest.param(ODD, "\n\n", id="blank lines alone"),
        pytest.param(ODD, "x\n", id="malformed alone"),
        pytest.param(
            USERS.replace("AGE", '"A\nGE",AGE', 1).replace("x,x", "x,x,x"),
            QUOTED.replace("x,x,x", "x,x,x,x"),
            id="a header of two lines",
        ),
    ],
)
def test_of_a_file_that_has_grown_the_new_lines_are_read(
    data_dir, cache_dir, tmp_path, before, added, mark
):
    check_growth(data_dir, cache_dir, tmp_path, mark + before, added, n_parts=2)


def check_growth(
    data_dir: Path,
    cache_dir: Path,
    tmp_path: Path,
    before: str,
    added: str,
    n_parts: int,
) -> None:
    """Compare all that is told of a file that has grown with the file read anew."""
    write(data_dir, before)
    users(data_dir, cache_dir)
    write(data_dir, before + added)
    grown = users(data_dir, cache_dir)
    assert len(grown.parts) == n_parts
    anew = users(data_dir, tmp_path / "another cache")
    assert grown.facts == anew.facts
    assert grown.n_bytes == anew.n_bytes
    for directory, file in ((cache_dir, grown), (tmp_path / "another cache", anew)):
        told = rows_of(data_dir, directory)
        lines = {row[6 if len(row) == 7 else 1] for row in told}
        # what is new of a grown file is told from what was there by its lines
        assert max(lines) <= file.parts[-1].last_line
        first = file.parts[0]
        assert first.n_rows == sum(
            len(row) == 7 and row[6] <= first.last_line for row in told
        )
    assert rows_of(data_dir, cache_dir) == rows_of(data_dir, tmp_path / "another cache")


def test_an_optional_file_may_grow_from_nothing(data_dir, cache_dir):
    header = ",".join(COLUMNS["coupon_visit_train"]) + "\n"
    path = data_dir / "coupon_visit_train.csv"
    path.write_text(header)
    found_in(data_dir, cache_dir)
    path.write_text(header + "x," * 7 + "x\n")
    file = next(f for f in found_in(data_dir, cache_dir) if f.path == path)
    assert [part.n_rows for part in file.parts] == [0, 1]
    assert file.facts.line_shifts == ((1, 1),)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda text: text.replace("x,x,2", "x,x,3"), id="other bytes"),
        pytest.param(lambda text: text[: text.rindex("x,x,4")], id="fewer rows"),
        pytest.param(lambda text: "x".join(text.rsplit("x", 1)), id="the same bytes"),
    ],
)
def test_what_has_changed_otherwise_is_read_anew(data_dir, cache_dir, tmp_path, change):
    write(data_dir, USERS)
    users(data_dir, cache_dir)
    time.sleep(0.01)
    write(data_dir, change(USERS))
    assert len(users(data_dir, cache_dir).parts) == 1
    assert rows_of(data_dir, cache_dir) == rows_of(data_dir, tmp_path / "another")


def test_other_bytes_before_new_rows_are_read_anew(data_dir, cache_dir, tmp_path):
    write(data_dir, USERS)
    users(data_dir, cache_dir)
    write(data_dir, USERS.replace("x,x,2", "x,x,3") + "x,x,8,x,x,x\n")
    assert len(users(data_dir, cache_dir).parts) == 1
    assert rows_of(data_dir, cache_dir) == rows_of(data_dir, tmp_path / "another")


def test_a_zip_that_has_grown_is_added_to_as_well(data_dir, cache_dir):
    (data_dir / f"{NAME}.csv").unlink()
    for text in (USERS, USERS + "x,x,8,x,x,x\n"):
        write_zip(data_dir, NAME, {f"{NAME}.csv": text.encode()})
        file = users(data_dir, cache_dir)
    assert [part.n_rows for part in file.parts] == [5, 1]


@pytest.mark.parametrize(
    ("before", "added", "says"),
    [
        (USERS + "x\nx\n", b"x\n", r"line 7: 6 fields expected.*in 3 of 8 rows"),
        (USERS, b'x,x,8,x,x,x\nx,"x', r"line 8, column SEX_ID: a quotation mark is"),
        (USERS, b"x,x,8,x,x,\x80\n", r"line 7, column USER_ID_hash: not UTF-8"),
        (USERS, b"x,x,8,x,x,x\n\0\n", r"line 8: a byte is zero"),
        (USERS, b"x,x,8,x,x,x\nx,x", r"line 8, AGE is missing: the file breaks off"),
    ],
)
def test_what_is_wrong_with_new_lines_is_told_with_their_place(
    data_dir, cache_dir, monkeypatch, before, added, says
):
    monkeypatch.setattr(csv_checks, "MAX_MALFORMED", 2)
    write(data_dir, before)
    users(data_dir, cache_dir)
    write(data_dir, before.encode() + added)
    with pytest.raises(RawFileError, match=rf"user_list\.csv, {says}"):
        users(data_dir, cache_dir)
    # what was known of the file before is still there
    write(data_dir, before + "x,x,8,x,x,x\n")
    assert len(users(data_dir, cache_dir).parts) == 2


def grow(data_dir: Path, cache_dir: Path, n_times: int) -> RawFile:
    path = data_dir / f"{NAME}.csv"
    for number in range(n_times):
        with path.open("a", encoding="utf-8") as file:
            file.write(f"x,x,{number},x,x,x\n")
        found = users(data_dir, cache_dir)
    return found


def test_a_file_in_many_parts_is_read_anew(data_dir, cache_dir, monkeypatch):
    monkeypatch.setattr(raw_cache, "MOST_PARTS", 3)
    write(data_dir, USERS)
    users(data_dir, cache_dir)
    rows = [part.n_rows for part in grow(data_dir, cache_dir, 2).parts]
    assert rows == [5, 1, 1]
    rows = [part.n_rows for part in grow(data_dir, cache_dir, 1).parts]
    assert rows == [8]


def test_lines_are_true_in_many_parts_and_row_groups(data_dir, cache_dir):
    # more than the 122,880 rows of a row group, twice
    rows = [{"AGE": str(n), "PREF_NAME": "p" * 20} for n in range(300_000)]
    lines = csv_text(NAME, rows).splitlines(keepends=True)
    write(data_dir, "".join(lines[:1]))
    with pytest.raises(RawFileError, match="no rows"):
        users(data_dir, cache_dir)
    for end in (200_001, 200_002, 300_001):
        write(data_dir, "".join(lines[:end]))
        file = users(data_dir, cache_dir)
    assert [part.n_rows for part in file.parts] == [0, 200_000, 1, 99_999]
    settings = {"preserve_insertion_order": False, "threads": 4}
    with duckdb.connect(config=settings) as connection:
        raw_schema.create(connection, found_in(data_dir, cache_dir))
        assert connection.execute(
            "select count(*), count(distinct file_line), "
            "count(*) filter (cast(AGE as bigint) + 2 != file_line) from raw.user_list"
        ).fetchall() == [(300_000, 300_000, 0)]


# Others who read


def test_a_warehouse_of_the_reading_before_can_still_be_asked(data_dir, cache_dir):
    write(data_dir, USERS)
    with duckdb.connect() as warehouse:
        raw_schema.create(warehouse, found_in(data_dir, cache_dir))

        def n_users() -> int:
            return warehouse.execute("select count(*) from raw.user_list").fetchone()[0]

        write_csv(data_dir, NAME, [{}, {}])
        users(data_dir, cache_dir)
        assert n_users() == 5
        # at the next change it goes
        write_csv(data_dir, NAME, [{}, {}, {}])
        users(data_dir, cache_dir)
        with pytest.raises(duckdb.IOException):
            n_users()
        raw_schema.create(warehouse, found_in(data_dir, cache_dir))
        assert n_users() == 3
    assert len([name for name in kept(cache_dir) if name.startswith(NAME)]) == 2


def test_rows_stay_that_views_made_by_other_code_read(data_dir, cache_dir):
    (part,) = users(data_dir, cache_dir).parts
    other = part.path.rename(part.path.with_name(f"{NAME}.of-other-code.parquet"))
    (register,) = cache_dir.rglob("facts.json")
    known = json.loads(register.read_text(encoding="utf-8"))
    known[NAME]["checks"] = "of other code"
    known[NAME]["parts"][0]["path"] = other.name
    register.write_text(json.dumps(known), encoding="utf-8")
    (anew,) = users(data_dir, cache_dir).parts
    assert anew.path != other
    assert other.is_file()


def test_the_same_rows_are_not_written_over(data_dir, cache_dir):
    (part,) = users(data_dir, cache_dir).parts
    written = part.path.stat().st_mtime_ns
    os.utime(data_dir / f"{NAME}.csv", (1, 1))
    assert users(data_dir, cache_dir).parts == (part,)
    assert part.path.stat().st_mtime_ns == written
    assert not [name for name in kept(cache_dir) if ".new-" in name]


def test_what_a_kill_left_is_removed(data_dir, cache_dir):
    users(data_dir, cache_dir)
    (register,) = cache_dir.rglob("facts.json")
    for name in ("tmp_.new-rows.parquet", ".new-rows.parquet", ".new-lines.csv"):
        (register.parent / name).write_bytes(b"PAR1")
    grow(data_dir, cache_dir, 1)
    assert not [name for name in kept(cache_dir) if ".new-" in name]


def test_one_reads_and_the_others_wait_for_it(data_dir, cache_dir, monkeypatch):
    n_read: list[str] = []
    read_file = csv_checks.read_file

    def slowly(path: Path, *arguments) -> Facts:
        n_read.append(path.name)
        time.sleep(0.02)
        return read_file(path, *arguments)

    monkeypatch.setattr(csv_checks, "read_file", slowly)
    found: list[list[RawFile]] = []
    threads = [
        threading.Thread(target=lambda: found.append(found_in(data_dir, cache_dir)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert found[0] == found[1] == found[2]
    assert sorted(n_read) == sorted({path.name for path in data_dir.glob("*.csv")})


@pytest.mark.parametrize("is_known", [False, True])
def test_a_file_that_changes_while_it_is_read_is_named(
    data_dir, cache_dir, monkeypatch, is_known
):
    read_file = csv_checks.read_file
    path = data_dir / f"{NAME}.csv"
    if is_known:
        users(data_dir, cache_dir)

    def meanwhile(change: Callable[[], None]) -> Callable:
        def read(*arguments) -> Facts:
            facts = read_file(*arguments)
            change()
            return facts

        return read

    def another_row() -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write("x,x,8,x,x,x\n")

    another_row()
    monkeypatch.setattr(csv_checks, "read_file", meanwhile(another_row))
    with pytest.raises(RawFileError, match=r"user_list\.csv was changed while it was"):
        users(data_dir, cache_dir)
    monkeypatch.undo()
    assert users(data_dir, cache_dir).facts.n_rows >= 3


def test_a_full_disk_is_one_sentence(data_dir, cache_dir, monkeypatch):
    def full(*_, **__):
        raise duckdb.IOException("Could not write file: No space left on device")

    monkeypatch.setattr(csv_checks.duckdb, "connect", full)
    with pytest.raises(RawFileError, match="make room on the disk"):
        users(data_dir, cache_dir)


# What is known of a file and of its new lines together


def test_facts_of_the_whole_are_worked_out_from_both_parts():
    # a header, row 1 in line 2, a blank line, row 2 in line 4, one malformed in line 5
    row = MalformedRow(5, "x", "too few")
    known = Facts("a", 3, (row,), ((1, 1), (2, 2)), 5)
    # below their header: row 1 in line 2, one malformed in line 3, row 2 in line 4
    tail = Facts("b", 3, (MalformedRow(3, "y", "few"),), ((1, 1), (2, 2)), 4)
    # so they are row 3 in line 6, one malformed in line 7, row 4 in line 8
    assert known.followed_by(tail, "c") == Facts(
        "c",
        6,
        (row, MalformedRow(7, "y", "few")),
        ((1, 1), (2, 2), (3, 3), (4, 4)),
        8,
    )


def test_too_many_malformed_rows_together_are_for_the_whole_to_tell(monkeypatch):
    monkeypatch.setattr(csv_checks, "MAX_MALFORMED", 2)
    row = MalformedRow(2, "x", "few")
    known = Facts("a", 2, (row,), ((1, 2),), 3)
    assert known.followed_by(Facts("b", 1, (row,), ((1, 1),), 2), "c")
    assert not known.followed_by(Facts("b", 2, (row, row), ((1, 1),), 3), "c")
