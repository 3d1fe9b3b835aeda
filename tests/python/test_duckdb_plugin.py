"""Raw files as DuckDB shows them: text, nulls, and nothing lost."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest
from build_raw_files import (
    COLUMNS,
    OPTIONAL,
    REQUIRED,
    csv_text,
    write_csv,
    write_required,
    write_zip,
)
from dbt_common.exceptions import DbtRuntimeError

from ml.duckdb_plugin import Plugin


@pytest.fixture
def data_dir(tmp_path, monkeypatch) -> Path:
    path = tmp_path / "data"
    write_required(path)
    monkeypatch.setenv("PONPARE_DATA_DIR", str(path))
    monkeypatch.setenv("PONPARE_CACHE", str(tmp_path / "cache"))
    return path


@pytest.fixture
def connection():
    with duckdb.connect(":memory:") as opened:
        yield opened


@pytest.fixture
def ask(data_dir, connection):
    """Return a function that loads the directory and answers a query."""

    def answer(query: str) -> list[tuple]:
        Plugin("ponpare", {}).configure_connection(connection)
        return connection.execute(query).fetchall()

    return answer


def write_user_list(data_dir: Path, content: bytes) -> None:
    (data_dir / "user_list.csv").write_bytes(content)


def test_na_is_null_and_an_empty_field_is_an_empty_text(data_dir, ask):
    rows = [
        {"WITHDRAW_DATE": "NA", "PREF_NAME": ""},
        {"WITHDRAW_DATE": "", "PREF_NAME": "NA"},
        {"WITHDRAW_DATE": '""', "PREF_NAME": "NARA"},
    ]
    write_csv(data_dir, "user_list", rows)
    assert ask("select WITHDRAW_DATE, PREF_NAME from raw.user_list") == [
        (None, ""),
        ("", None),
        ("", "NARA"),
    ]


def test_every_column_is_text_as_it_stands(data_dir, ask):
    write_csv(data_dir, "user_list", [{"AGE": "007", "REG_DATE": " 2011-07-01 "}])
    assert ask("select AGE, REG_DATE from raw.user_list") == [("007", " 2011-07-01 ")]
    types = ask(
        "select distinct column_type from (describe raw.user_list) "
        "where column_name != 'file_line'"
    )
    assert types == [("VARCHAR",)]


def test_quoted_commas_quotes_and_line_breaks_are_part_of_the_field(data_dir, ask):
    rows = [{"PREF_NAME": '"東京都,\r\n""23区"""'}, {"PREF_NAME": "大阪府"}]
    write_csv(data_dir, "user_list", rows)
    assert ask("select PREF_NAME from raw.user_list order by file_line") == [
        ('東京都,\r\n"23区"',),
        ("大阪府",),
    ]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("end", [True, False])
def test_byte_order_mark_and_line_ends_do_not_show(
    data_dir, ask, connection, mark, newline, end
):
    # the last column is null: NA must be told from NA and a carriage return
    rows = [{"REG_DATE": "first"}, {"REG_DATE": "last", "USER_ID_hash": "NA"}]
    text = csv_text("user_list", rows, newline)
    write_user_list(data_dir, mark + (text if end else text.rstrip()).encode())
    found = ask("select REG_DATE, USER_ID_hash from raw.user_list")
    assert found == [("first", "x"), ("last", None)]


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_a_header_alone_is_a_view_without_rows(data_dir, ask, end):
    text = ",".join(COLUMNS["coupon_visit_train"]) + end
    (data_dir / "coupon_visit_train.csv").write_bytes(text.encode())
    assert ask("select * from raw.coupon_visit_train") == []


def test_columns_come_by_name_whatever_their_order_and_case(data_dir, ask):
    write_user_list(
        data_dir,
        b"comment,user_id_hash,AGE,PREF_NAME,SEX_ID,WITHDRAW_DATE,REG_DATE\n"
        b"none,abc,30,Tokyo,f,NA,2011-07-01\n",
    )
    assert ask("select * from raw.user_list") == [
        ("2011-07-01", "f", "30", None, "Tokyo", "abc", 2)
    ]


def test_an_absent_optional_file_is_a_view_without_rows(ask):
    for name in OPTIONAL:
        assert ask(f"select * from raw.{name}") == []
        columns = ask(f"select column_name, column_type from (describe raw.{name})")
        assert columns == [
            *((column, "VARCHAR") for column in COLUMNS[name]),
            ("file_line", "BIGINT"),
        ]


def test_a_zipped_file_is_read_like_the_file_itself(data_dir, ask):
    content = csv_text("coupon_list_test", [{"GENRE_NAME": "グルメ"}]).encode()
    write_zip(data_dir, "coupon_list_test", {"coupon_list_test.csv": content})
    assert ask("select GENRE_NAME from raw.coupon_list_test") == [("グルメ",)]


@pytest.mark.parametrize("name", ["it's here", "a [b] c", "50% {x}"])
def test_any_directory_name_will_do(tmp_path, monkeypatch, ask, name):
    write_required(tmp_path / name)
    monkeypatch.setenv("PONPARE_DATA_DIR", str(tmp_path / name))
    assert ask("select count(*) from raw.user_list") == [(1,)]


def test_source_files_lists_what_was_found(data_dir, ask):
    found = ask("select * from raw.source_files order by file_name")
    assert [row[0] for row in found] == sorted(REQUIRED + OPTIONAL)
    for name, is_present, n_bytes, fingerprint, n_rows in found:
        assert is_present == (name in REQUIRED)
        assert n_rows == int(is_present)
        if is_present:
            assert n_bytes == (data_dir / f"{name}.csv").stat().st_size
            assert len(fingerprint) == 64
        else:
            assert (n_bytes, fingerprint) == (0, "")


def test_loading_again_shows_the_files_of_now(data_dir, ask):
    assert ask("select count(*) from raw.user_list") == [(1,)]
    write_csv(data_dir, "user_list", [{}, {}, {}])
    write_csv(data_dir, "coupon_list_test", [{}])
    assert ask("select count(*) from raw.user_list") == [(3,)]
    assert ask("select count(*) from raw.coupon_list_test") == [(1,)]
    assert ask("select count(*), sum(is_present::int) from raw.source_files") == [
        (len(REQUIRED + OPTIONAL), len(REQUIRED) + 1)
    ]


def test_rows_know_their_lines(data_dir, ask):
    text = csv_text("user_list", [{"AGE": str(n)} for n in range(6)])
    text = text.replace("x,x,2", '"x\r\nx",x,2').replace("x,x,3", "\nx\nx,x,3")
    write_user_list(data_dir, text.encode())
    # row 2 takes the lines 4 and 5; then a blank line, and one with one field
    assert ask("select AGE, file_line from raw.user_list order by file_line") == [
        *[("0", 2), ("1", 3), ("2", 4), ("3", 8), ("4", 9), ("5", 10)],
    ]
    assert ask("select * from raw.malformed_rows") == [
        ("user_list", 7, "x", "6 fields expected, 1 found, SEX_ID is missing")
    ]
    ((n_rows,),) = ask(
        "select n_rows from raw.source_files where file_name = 'user_list'"
    )
    assert n_rows == 7


def test_lines_are_true_whatever_reads_the_rows_in_parallel(data_dir, ask, connection):
    connection.execute("set preserve_insertion_order = false; set threads = 4")
    rows = [{"AGE": str(n), "PREF_NAME": "p" * 200} for n in range(200_000)]
    write_csv(data_dir, "user_list", rows)
    assert ask(
        "select count(*) from raw.user_list where cast(AGE as bigint) + 2 != file_line"
    ) == [(0,)]
    # lines come with the rows: nothing is numbered one row after the other
    ((_, plan),) = ask("explain select file_line from raw.user_list")
    assert "window" not in plan.lower()


def test_a_directory_that_cannot_be_used_stops_dbt_with_the_sentence(data_dir):
    (data_dir / "user_list.csv").unlink()
    with pytest.raises(DbtRuntimeError, match=r"lacks user_list\.csv"):
        Plugin("ponpare", {})


def test_the_warehouses_directory_is_made(data_dir, tmp_path):
    warehouse = tmp_path / "new" / "warehouse.duckdb"
    Plugin("ponpare", {}, SimpleNamespace(path=str(warehouse)))
    assert warehouse.parent.is_dir()
    assert not warehouse.exists()
