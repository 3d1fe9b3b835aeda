"""Hostile names and ids: stored as they are, and text wherever they are shown."""

from __future__ import annotations

import csv
import datetime as dt
import html
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from build_raw_files import REQUIRED, csv_text, write_csv
from hostile import (
    ID_COLUMNS,
    IDS,
    LONG,
    NAMES,
    SCRIPT,
    read_files,
    write_hostile,
    write_rows,
)
from no_network import OfflineWorld, taken_away
from test_report import parsed
from warehouses import use_small_models, write_sample

from ml import csv_checks, explore, genre_page, markdown, query, submission
from ml.cli import CommandError
from ml.csv_checks import LONGEST_ROW
from ml.duckdb_plugin import Plugin
from ml.evaluate import Metric
from ml.explore import Answer, Question
from ml.raw_files import RawFileError, find_raw_files
from ml.report.data import read_data

#: What steers a terminal or turns the direction of text.
STEERING = {"Cc", "Cf", "Zl", "Zp"}
#: Characters of format that stay: they join or part letters and do nothing else.
HARMLESS = set("\u200b\u200c\u200d\ufeff")
ALL_NAMES = (*NAMES, LONG)


def loaded(data_dir: Path, monkeypatch, question: str) -> list[tuple]:
    """Return the answer to a query on the raw views of a directory."""
    monkeypatch.setenv("PONPARE_DATA_DIR", str(data_dir))
    monkeypatch.setenv("PONPARE_CACHE", str(data_dir.parent / "cache"))
    with duckdb.connect() as connection:
        Plugin("ponpare", {}).configure_connection(connection)
        return connection.execute(question).fetchall()


def write_names(data_dir: Path, names: tuple[str, ...]) -> None:
    """Write a user for each name, quoted as a CSV needs it."""
    template = dict.fromkeys(csv_text("user_list", []).strip().split(","), "x")
    rows = [template | {"PREF_NAME": name} for name in names]
    write_rows(data_dir, "user_list", rows)


# What is read


def test_names_are_read_as_they_are(data_dir, monkeypatch):
    write_names(data_dir, ALL_NAMES)
    found = loaded(
        data_dir, monkeypatch, "select PREF_NAME from raw.user_list order by file_line"
    )
    assert [name for (name,) in found] == list(ALL_NAMES)


def test_lines_are_counted_past_names_of_several_lines(data_dir, monkeypatch):
    # with a line break in a name the csv module reads the file too, long names and all
    write_names(data_dir, ("first\nsecond", LONG, "last"))
    found = loaded(
        data_dir,
        monkeypatch,
        "select file_line, left(PREF_NAME, 6) from raw.user_list order by file_line",
    )
    assert found == [(2, "first\n"), (4, LONG[:6]), (5, "last")]


def test_a_row_that_is_too_long_is_one_sentence(data_dir, tmp_path):
    write_csv(data_dir, "user_list", [{}, {"PREF_NAME": "x" * LONGEST_ROW}, {}])
    with pytest.raises(
        RawFileError, match=r"user_list\.csv, line 3: the row is longer"
    ):
        find_raw_files(data_dir, tmp_path / "cache")


@pytest.mark.parametrize(
    ("half", "names"),
    [
        (b"\xed\xa0\xbd", "D83D"),
        (b"\xed\xbf\xbf", "DFFF"),
        # CESU-8: both halves of a pair, each by itself
        ("\ud83d\ude00".encode("utf-8", "surrogatepass"), "D83D"),
    ],
)
def test_half_of_a_surrogate_pair_is_named(data_dir, tmp_path, half, names):
    text = csv_text("user_list", [{}, {"PREF_NAME": "東京HALF"}, {}]).encode()
    path = data_dir / "user_list.csv"
    path.write_bytes(text.replace(b"HALF", half))
    says = rf"line 3, column PREF_NAME: half of a surrogate pair \(U\+{names}\), which"
    with pytest.raises(RawFileError, match=says):
        find_raw_files(data_dir, tmp_path / "cache")


def test_another_encoding_with_the_bytes_of_a_half_is_still_named(data_dir, tmp_path):
    text = csv_text("user_list", [{}, {"PREF_NAME": "HALF"}]).encode()
    letters = b"\xed\xa1\xbf\xc0"
    assert csv_checks._HALF_OF_A_PAIR.match(letters)
    assert len(letters.decode("euc_jp")) == 2
    (data_dir / "user_list.csv").write_bytes(text.replace(b"HALF", letters))
    with pytest.raises(
        RawFileError, match=r"column PREF_NAME: not UTF-8 but, it seems"
    ):
        find_raw_files(data_dir, tmp_path / "cache")


# What is shown


def is_plain(line: str) -> bool:
    return not any(
        unicodedata.category(character) in STEERING and character not in HARMLESS
        for character in line
    )


def test_a_terminal_gets_one_harmless_line_per_row():
    lines = markdown.aligned([("name", "n"), *((name, "1") for name in ALL_NAMES)])
    assert len(lines) == len(ALL_NAMES) + 1
    for name, line in zip(ALL_NAMES, lines[1:], strict=True):
        assert is_plain(line), repr(name)
        assert len(line) < markdown.MOST_CHARACTERS + 10
    assert r"\x1b[31mred" in "\n".join(lines)
    assert r"\u202eright to left" in "\n".join(lines)


def test_a_short_name_is_shown_whole_and_a_long_one_is_cut():
    exact = "x" * markdown.MOST_CHARACTERS
    assert markdown.cut(exact) == exact
    cut = markdown.cut(f"{exact}x")
    assert len(cut) == markdown.MOST_CHARACTERS
    assert cut.endswith("x…")


QUESTION = Question("q", "why?", "So.", "One row.", ("a", "n"), ("a",), {}, "")
ANSWER = Answer(("a", "n"), [(name, 1) for name in ALL_NAMES])


def cells(row: str) -> list[str]:
    """Return the cells of a row of a table in Markdown, as a reader sees them."""
    return [html.unescape(cell) for cell in row.strip("| ").split(" | ")]


def test_a_page_shows_names_as_text():
    page = explore.section(QUESTION, Answer(ANSWER.columns, ANSWER.rows[:13]))
    rows = page[page.index("| --- | --- |") + 1 :]
    assert len(rows) == 13
    for name, row in zip(NAMES, rows, strict=False):
        assert not re.search(r"[<>`*\\\[\]\r\n\x1b]", row)
        # as a reader sees them: without what has no shape
        seen = re.sub(r"[\x07\x1b]", "", name).strip()
        assert [cell.strip() for cell in cells(row)] == [seen, "1"]


def test_a_terminal_shows_an_answer_in_as_many_lines_as_rows():
    lines = explore.terminal(QUESTION, ANSWER, 100)
    assert len(lines) == 4 + 1 + len(ALL_NAMES) + 1
    assert all(map(is_plain, lines))


def test_a_genre_that_is_markup_is_text_in_its_page():
    genres = (SCRIPT, "| a |")
    metrics = [
        Metric("m", name, "all", 0.1, 0.0, 0.2) for name in genre_page.METRICS
    ] + [Metric("m", "confusion", f"{a}_as_{a}", 5.0) for a in genres]
    day = [dt.date(2012, 4, 1)]
    found = genre_page.Section("t", day, 1, 9, genres, "m", "v", metrics)
    page = genre_page.with_section("", found)
    assert "<script" not in page
    # once as a row, once as a column
    assert page.count(markdown.escaped(SCRIPT)) == 2
    assert f"| {markdown.escaped(genres[1])} | 0 | 5 |" in page
    assert all(map(is_plain, genre_page.text(found).splitlines()))


def test_the_report_takes_the_beginning_of_a_long_name():
    class OneRow:
        def table(self, _):
            return pa.table({"name": [LONG], "short": ["短"], "n": [1], "none": [None]})

    found = read_data(OneRow())
    expected = {"name": markdown.cut(LONG), "short": "短", "n": 1, "none": None}
    assert found
    assert all(rows == [expected] for rows in found.values())


def test_a_query_prints_nothing_that_steers_a_terminal(tmp_path, monkeypatch, capfd):
    path = tmp_path / "w.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table names (name varchar)")
        connection.executemany("insert into names values (?)", [[n] for n in NAMES])
    monkeypatch.setenv("PONPARE_DB", str(path))
    query.query("select name from names where name like '%red%'")
    printed = capfd.readouterr().out
    assert r"\e[31mred\e]0;title\a" in printed
    assert "\x1b" not in printed


# What is exported


def test_the_submission_holds_ids_as_they_are(tmp_path):
    lists = [(user, " ".join(IDS)) for user in IDS]
    submission.write_lists(tmp_path / "s.csv", lists)
    with (tmp_path / "s.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == submission.HEADER
    assert [tuple(row) for row in rows] == lists
    assert (tmp_path / "s.csv").read_text("utf-8").splitlines()[1].startswith("=1+1")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"USER_ID_hash,PURCHASED_COUPONS\n\xff\xff,\n", "line 2, column USER_ID_hash"),
        (
            b'USER_ID_hash,P\n"' + b"x" * (LONGEST_ROW + 1) + b'",\n',
            "cannot be read as CSV",
        ),
        (b"PURCHASED_COUPONS,USER_ID_hash\nx\n", "a row has no USER_ID_hash"),
        (b"USER,P\nx,\n", "line 1: column USER_ID_hash is missing"),
    ],
)
def test_a_damaged_list_of_users_is_one_sentence(
    data_dir, tmp_path, monkeypatch, content, says
):
    monkeypatch.setenv("PONPARE_DATA_DIR", str(data_dir))
    (data_dir / "sample_submission.csv").write_bytes(content)
    with pytest.raises((CommandError, RawFileError), match=says):
        submission._users(None)


# Everything, from files to submission, without a network


@dataclass(frozen=True)
class Run:
    """What all commands made of hostile files, and where it is."""

    world: OfflineWorld
    directory: Path

    def rows(self, question: str) -> list[tuple]:
        with duckdb.connect(str(self.world.database), read_only=True) as connection:
            return connection.execute(question).fetchall()

    def text(self, name: str) -> str:
        return (self.directory / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    directory = tmp_path_factory.mktemp("hostile")
    sample = write_sample(directory / "sample", users=120, seed=3)
    data = write_hostile(sample, directory / "data")
    world = OfflineWorld(data, directory / "hostile.duckdb")
    world.dbt(
        *("build", "--exclude-resource-type", "unit_test"),
        *("--vars", "{n_cutoffs: 6}"),
    )
    use_small_models(world)
    world.python("-m", "ml.train")
    world.python("-m", "ml.report", "--out", str(directory / "report"))
    world.python("-m", "ml.submission", "--out", str(directory / "submission.csv"))
    world.python("-m", "ml.explore", "--write", str(directory / "explore.md"))
    world.python("-m", "ml.card", "--check-model")
    return Run(world, directory)


@pytest.mark.full
def test_everything_runs_without_a_network(run):
    """The fixture has run every command; nothing asked for another machine."""
    assert run.world.attempts == []
    if not taken_away():
        pytest.skip("denied to Python alone: the kernel has no network to take away")


@pytest.mark.full
def test_names_and_ids_are_stored_as_they_are(run):
    files = read_files(run.world.data_dir)
    columns = (
        "COUPON_ID_hash",
        "CAPSULE_TEXT",
        "GENRE_NAME",
        "large_area_name",
        "ken_name",
        "small_area_name",
    )
    coupons = files["coupon_list_train"] + files["coupon_list_test"]
    expected = sorted(
        tuple(row[column].strip(" ") for column in columns) for row in coupons
    )
    stored = run.rows(
        "select coupon_hash, capsule_ja, genre_ja, coalesce(large_area_ja, 'NA'), "
        "coalesce(prefecture_ja, 'NA'), coalesce(small_area_ja, 'NA') "
        "from core.dim_coupons"
    )
    assert sorted(stored) == expected
    users = {(row["USER_ID_hash"], row["PREF_NAME"]) for row in files["user_list"]}
    assert set(IDS) <= {user for user, _ in users}
    found = run.rows(
        "select user_hash, case prefecture_status when 'missing' then 'NA' "
        "when 'not_registered' then '' else prefecture_ja end from core.dim_users"
    )
    assert set(found) == users
    seen = {value for row in stored for value in row} | {name for _, name in users}
    assert set(ALL_NAMES) <= seen
    areas = {
        (row["PREF_NAME"], row["SMALL_AREA_NAME"])
        for name in ("coupon_area_train", "coupon_area_test")
        for row in files[name]
    }
    staged = run.rows(
        "select prefecture_ja, small_area_ja from staging.stg_coupon_areas_train union "
        "select prefecture_ja, small_area_ja from staging.stg_coupon_areas_test"
    )
    assert set(staged) == areas
    small_areas = {
        name for (name,) in run.rows("select small_area_ja from core.dim_areas")
    }
    assert {name for _, name in areas} <= small_areas


@pytest.mark.full
def test_names_without_a_translation_are_listed(run):
    found = run.rows("select value_ja from reporting.untranslated_values")
    assert set(ALL_NAMES) <= {name for (name,) in found}


@pytest.mark.full
def test_the_submission_of_hostile_files_holds_their_ids(run):
    files = read_files(run.world.data_dir)
    with (run.directory / "submission.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["USER_ID_hash"] for row in rows] == [
        row["USER_ID_hash"] for row in files["sample_submission"]
    ]
    listed = {row["COUPON_ID_hash"] for row in files["coupon_list_test"]}
    named = set()
    for row in rows:
        coupons = row["PURCHASED_COUPONS"].split(" ")
        assert len(coupons) == len(set(coupons)) == 10
        named |= set(coupons)
    assert named <= listed
    assert named & set(IDS)


@pytest.mark.full
def test_pages_of_hostile_files_hold_no_markup_of_theirs(run):
    page = parsed(run.text("report/index.html"))
    assert len(page.scripts) == 4
    assert page.images == 0
    for name in ("explore.md", "report/slides.md", "report/slides.ko.md"):
        assert not re.search(r"<script|<img|\x1b|\r", run.text(name))
    shown = {row[0][:8] for row in run.rows("select user_hash from core.dim_users")}
    assert shown & {start[:8] for start in IDS}


@pytest.mark.full
def test_the_report_of_hostile_files_runs_nothing_in_a_browser(run, browser):
    browser.open(run.directory / "report" / "index.html")
    browser.wait(
        lambda: browser.driver.execute_script(
            "return document.documentElement.dataset.drawn"
        ),
        "the pictures are not drawn",
    )
    assert browser.driver.execute_script("return window.hacked ?? null") is None
    assert browser.driver.execute_script("return document.images.length") == 0
    assert browser.console_errors() == []
    assert browser.requests() == []


def test_hostile_files_hold_every_name_and_id(sample_dir, tmp_path):
    assert all(len(text) == 32 and " " not in text for text in IDS)
    assert len(LONG.encode()) > 1_000_000
    files = read_files(write_hostile(sample_dir, tmp_path / "hostile"))
    values = {
        value for name in REQUIRED for row in files[name] for value in row.values()
    }
    assert set(ALL_NAMES) <= values
    for name, column in ID_COLUMNS.items():
        assert set(IDS) <= {row[column] for row in files[name]}
