"""Raw files as they come: zipped or not, complete or not, healthy or not."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path

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

from ml import csv_checks, raw_files
from ml.raw_files import RawFile, RawFileError, find_raw_files


def find(data_dir: Path, cache_dir: Path) -> dict[str, RawFile]:
    return {file.source.name: file for file in find_raw_files(data_dir, cache_dir)}


def unpacked(cache_dir: Path) -> list[Path]:
    return sorted(cache_dir.rglob("*.csv"))


def listing(directory: Path) -> dict[Path, tuple[int, bytes]]:
    """Return time of change and content of every file, and of the directory."""
    found = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    found[directory] = b""
    return {path: (path.stat().st_mtime_ns, found[path]) for path in found}


def test_the_competitions_files_are_declared():
    assert set(REQUIRED) == {
        "user_list",
        "coupon_list_train",
        "coupon_area_train",
        "coupon_detail_train",
    }
    assert set(OPTIONAL) == {
        "coupon_list_test",
        "coupon_area_test",
        "coupon_visit_train",
        "prefecture_locations",
    }
    assert COLUMNS["user_list"] == (
        "REG_DATE",
        "SEX_ID",
        "AGE",
        "WITHDRAW_DATE",
        "PREF_NAME",
        "USER_ID_hash",
    )


def test_files_are_read_in_place(data_dir, cache_dir):
    file = find(data_dir, cache_dir)["user_list"]
    assert file.path == data_dir / "user_list.csv"
    assert file.header == COLUMNS["user_list"]
    assert file.n_bytes == (data_dir / "user_list.csv").stat().st_size
    assert unpacked(cache_dir) == []


def test_a_missing_directory_is_named(tmp_path, cache_dir):
    with pytest.raises(RawFileError, match=r"nowhere is not a directory.*make demo"):
        find(tmp_path / "nowhere", cache_dir)


def test_missing_required_files_are_all_named(data_dir, cache_dir):
    (data_dir / "user_list.csv").unlink()
    (data_dir / "coupon_area_train.csv").unlink()
    with pytest.raises(RawFileError) as error:
        find(data_dir, cache_dir)
    missing, optional = str(error.value).split("(zipped or not)")
    assert "user_list.csv" in missing
    assert "coupon_area_train.csv" in missing
    assert "coupon_detail_train" not in missing
    assert all(f"{name}.csv" in optional for name in OPTIONAL)


def test_missing_optional_files_are_no_error(data_dir, cache_dir):
    found = find(data_dir, cache_dir)
    assert set(found) == set(REQUIRED) | set(OPTIONAL)
    for name in OPTIONAL:
        file = found[name]
        assert (file.path, file.n_bytes, file.fingerprint) == (None, 0, "")


def test_a_missing_column_is_named(data_dir, cache_dir):
    path = data_dir / "user_list.csv"
    text = path.read_text(encoding="utf-8").replace("SEX_ID", "SEX")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RawFileError, match=r"user_list\.csv, line 1: column SEX_ID is"):
        find(data_dir, cache_dir)


@pytest.mark.parametrize("content", [b"", b"\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_named(data_dir, cache_dir, content):
    (data_dir / "user_list.csv").write_bytes(content)
    with pytest.raises(RawFileError, match=r"user_list\.csv is empty"):
        find(data_dir, cache_dir)


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_a_header_alone_will_do_for_an_optional_file_only(data_dir, cache_dir, end):
    for name in ("coupon_list_test", "user_list"):
        text = csv_text(name, []).rstrip("\n") + end
        (data_dir / f"{name}.csv").write_bytes(text.encode())
        if name in OPTIONAL:
            assert find(data_dir, cache_dir)[name].header == COLUMNS[name]
    with pytest.raises(RawFileError, match=r"user_list\.csv has a header and no rows"):
        find(data_dir, cache_dir)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_byte_order_mark_and_line_ends_are_no_part_of_the_header(
    data_dir, cache_dir, mark, newline
):
    content = mark + csv_text("user_list", [{}], newline).encode()
    (data_dir / "user_list.csv").write_bytes(content)
    assert find(data_dir, cache_dir)["user_list"].header == COLUMNS["user_list"]


def test_columns_may_be_reordered_lower_case_or_more(data_dir, cache_dir):
    columns = (*(c.lower() for c in reversed(COLUMNS["user_list"])), "COMMENT")
    text = ",".join(columns) + "\n" + "x," * (len(columns) - 1) + "x\n"
    (data_dir / "user_list.csv").write_text(text, encoding="utf-8")
    assert find(data_dir, cache_dir)["user_list"].header == columns


def zip_user_list(data_dir: Path, n_rows: int = 1) -> Path:
    """Replace user_list.csv with a zip of as many rows."""
    (data_dir / "user_list.csv").unlink(missing_ok=True)
    text = csv_text("user_list", [{"AGE": "利用者"}] * n_rows)
    return write_zip(data_dir, "user_list", {"user_list.csv": text.encode()})


def test_a_zip_is_unpacked_once_into_the_cache(data_dir, cache_dir):
    zip_user_list(data_dir)
    path = find(data_dir, cache_dir)["user_list"].path
    assert unpacked(cache_dir) == [path]
    assert path.read_text(encoding="utf-8") == csv_text(
        "user_list", [{"AGE": "利用者"}]
    )
    before = listing(cache_dir)
    assert find(data_dir, cache_dir)["user_list"].path == path
    assert listing(cache_dir) == before


def test_a_changed_zip_is_unpacked_anew_and_the_stale_copy_removed(data_dir, cache_dir):
    zip_user_list(data_dir, n_rows=1)
    zipped = write_zip(
        data_dir,
        "coupon_list_test",
        {"a.csv": csv_text("coupon_list_test", []).encode()},
    )
    first = find(data_dir, cache_dir)
    zip_user_list(data_dir, n_rows=2)
    second = find(data_dir, cache_dir)
    assert second["user_list"].path.read_text(encoding="utf-8").count("利用者") == 2
    assert second["user_list"].fingerprint != first["user_list"].fingerprint
    # the copy of the other zip stays
    assert zipped.exists()
    assert second["coupon_list_test"].path == first["coupon_list_test"].path
    assert set(unpacked(cache_dir)) == {
        second["user_list"].path,
        second["coupon_list_test"].path,
    }


def test_a_changed_zip_of_the_same_size_is_unpacked_anew(data_dir, cache_dir):
    (data_dir / "user_list.csv").unlink()
    found, sizes = [], set()
    for day, age in enumerate(("30", "40")):
        content = csv_text("user_list", [{"AGE": age}]).encode()
        archive = write_zip(data_dir, "user_list", {"user_list.csv": content})
        os.utime(archive, ns=(0, day * 10**9))
        sizes.add(archive.stat().st_size)
        found.append(find(data_dir, cache_dir)["user_list"])
        assert found[-1].path.read_bytes() == content
    assert len(sizes) == 1
    assert unpacked(cache_dir) == [found[1].path]
    assert found[0].fingerprint != found[1].fingerprint


def test_a_csv_goes_before_its_zip(data_dir, cache_dir):
    write_zip(data_dir, "user_list", {"user_list.csv": b"not even a header"})
    assert find(data_dir, cache_dir)["user_list"].path == data_dir / "user_list.csv"


def test_a_zip_from_a_mac_has_one_csv(data_dir, cache_dir):
    (data_dir / "user_list.csv").unlink()
    content = csv_text("user_list", [{}]).encode()
    members = {
        "folder/user_list.csv": content,
        "__MACOSX/folder/._user_list.csv": b"\0\0",
        "readme.txt": b"",
    }
    write_zip(data_dir, "user_list", members)
    path = find(data_dir, cache_dir)["user_list"].path
    assert path.read_bytes() == content


@pytest.mark.parametrize("names", [("a.csv", "b.csv"), ()])
def test_a_zip_holds_exactly_one_csv(data_dir, cache_dir, names):
    (data_dir / "user_list.csv").unlink()
    content = csv_text("user_list", [{}]).encode()
    write_zip(data_dir, "user_list", dict.fromkeys(names, content))
    message = rf"user_list\.csv\.zip holds {len(names)} CSV files"
    with pytest.raises(RawFileError, match=message):
        find(data_dir, cache_dir)


def damaged(content: bytes, place: int) -> bytes:
    """Overwrite a few bytes."""
    return content[:place] + b"\xff" * 8 + content[place + 8 :]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: b"", id="empty"),
        pytest.param(lambda content: b"PK no zip", id="no zip"),
        pytest.param(lambda content: content[: len(content) // 2], id="cut off"),
        # the packed bytes start after 30 bytes and the name user_list.csv
        pytest.param(lambda content: damaged(content, 43), id="first packed bytes"),
        pytest.param(lambda content: damaged(content, 120), id="packed bytes"),
        # bit 0 of the flags, at 6 and in the directory at the end: a password
        pytest.param(
            lambda content: (
                content[:6]
                + b"\x01"
                + content[7:].replace(b"PK\1\2\x14\3\x14\0\0", b"PK\1\2\x14\3\x14\0\1")
            ),
            id="password",
        ),
    ],
)
def test_a_broken_zip_is_named_and_leaves_no_copy(data_dir, cache_dir, damage):
    archive = zip_user_list(data_dir, n_rows=3)
    rows = [{"AGE": str(i * 7919 % 1000)} for i in range(200)]
    content = csv_text("user_list", rows).encode()
    write_zip(data_dir, "user_list", {"user_list.csv": content})
    archive.write_bytes(damage(archive.read_bytes()))
    with pytest.raises(RawFileError, match=r"user_list\.csv\.zip cannot be unpacked"):
        find(data_dir, cache_dir)
    assert not [path for path in cache_dir.rglob("*user_list*") if path.is_file()]
    assert not list(cache_dir.rglob(".unpacking-*"))


@pytest.mark.parametrize(
    ("codec", "names"),
    [
        ("cp932", r"it seems, Shift_JIS \(CP932\).*iconv -f CP932 -t UTF-8 user_list"),
        ("euc_jp", r"it seems, EUC-JP.*iconv -f EUC-JP -t UTF-8 user_list"),
    ],
)
def test_another_encoding_is_named_with_line_and_column(
    data_dir, cache_dir, codec, names
):
    # far behind the first bytes, which alone would say UTF-8
    rows = [{}] * 9000 + [{"PREF_NAME": "東京都・横浜市"}, {"PREF_NAME": "神奈川県"}]
    content = csv_text("user_list", rows).encode(codec)
    (data_dir / "user_list.csv").write_bytes(content)
    where = r"user_list\.csv, line 9002, column PREF_NAME: not UTF-8 but, "
    with pytest.raises(RawFileError, match=where + names):
        find(data_dir, cache_dir)


def test_an_encoding_of_the_header_and_utf_16_are_named(data_dir, cache_dir):
    path = data_dir / "user_list.csv"
    path.write_bytes(csv_text("user_list", [{}]).replace("AGE", "年").encode("cp932"))
    with pytest.raises(RawFileError, match=r"line 1: not UTF-8 but, it seems, Shift_"):
        find(data_dir, cache_dir)
    path.write_text(csv_text("user_list", [{}]), encoding="utf-16")
    with pytest.raises(RawFileError, match=r"is UTF-16, not UTF-8: convert it"):
        find(data_dir, cache_dir)


def test_bytes_of_no_encoding_are_named(data_dir, cache_dir):
    path = data_dir / "user_list.csv"
    path.write_bytes(csv_text("user_list", [{}]).encode() + b"\x80,\xff\xff\n")
    with pytest.raises(RawFileError, match=r"line 3, column REG_DATE: not UTF-8, nor"):
        find(data_dir, cache_dir)


def test_a_zero_byte_is_named_with_its_line(data_dir, cache_dir):
    content = csv_text("user_list", [{}, {}]).encode() + b"\0" * 512
    (data_dir / "user_list.csv").write_bytes(content)
    with pytest.raises(RawFileError, match=r"user_list\.csv, line 4: a byte is zero"):
        find(data_dir, cache_dir)


def test_a_character_across_chunks_is_read(data_dir, cache_dir, monkeypatch):
    monkeypatch.setattr(csv_checks, "CHUNK_BYTES", 7)
    text = csv_text("user_list", [{"PREF_NAME": "東京都神奈川県"}] * 3)
    (data_dir / "user_list.csv").write_text(text, encoding="utf-8")
    assert find(data_dir, cache_dir)["user_list"].facts.n_rows == 3


USERS = csv_text("user_list", [{"AGE": str(i)} for i in range(5)])


@pytest.mark.parametrize(
    ("cut", "says"),
    [
        (1, r"line 6, SEX_ID is missing: the file breaks off after 1 of 6 fields"),
        (7, r"line 6, PREF_NAME is missing: the file breaks off after 4 of 6"),
    ],
)
def test_a_file_that_breaks_off_in_its_last_line_is_named(
    data_dir, cache_dir, cut, says
):
    start = USERS.rstrip().rindex("\n") + 1
    (data_dir / "user_list.csv").write_text(USERS[: start + cut])
    with pytest.raises(RawFileError, match=rf"user_list\.csv, {says}.*again"):
        find(data_dir, cache_dir)


@pytest.mark.parametrize("before", ["f" * 32, "NA"])
@pytest.mark.parametrize(
    ("last", "is_cut"),
    [("", True), ("N", True), ("a" * 31, True), ("NA", False), ("a" * 32, False)],
)
def test_a_file_that_breaks_off_in_its_last_id_is_named(
    data_dir, cache_dir, before, last, is_cut
):
    text = csv_text("coupon_visit_train", [{"PURCHASEID_hash": before}] * 3)
    text += "x," * 7 + last
    path = data_dir / "coupon_visit_train.csv"
    path.write_text(text)
    says = r"visit_train\.csv, line 5, column PURCHASEID_hash: the file breaks off"
    if is_cut:
        with pytest.raises(RawFileError, match=says):
            find(data_dir, cache_dir)
    else:
        assert find(data_dir, cache_dir)["coupon_visit_train"].facts.n_rows == 4
    # with its line end the row is whole, whatever it holds
    path.write_text(text + "\n")
    assert find(data_dir, cache_dir)["coupon_visit_train"].facts.n_rows == 4


def test_a_file_that_breaks_off_within_a_character_is_named(data_dir, cache_dir):
    content = (USERS + "2011-07-01,f,20,NA,東").encode()[:-1]
    (data_dir / "user_list.csv").write_bytes(content)
    with pytest.raises(
        RawFileError, match=r"line 7: the file breaks off in the middle"
    ):
        find(data_dir, cache_dir)


@pytest.mark.parametrize(
    "lines",
    [
        ['x,"x,1,x,x,x', "x,x,2,x,x,x"],  # never closed
        ['x,"x"x,1,x,x,x', "x,x,2,x,x,x"],  # text after the end
    ],
)
def test_a_broken_quotation_mark_is_named(data_dir, cache_dir, lines):
    text = USERS + "\n".join(lines) + "\n"
    (data_dir / "user_list.csv").write_text(text)
    with pytest.raises(
        RawFileError, match=r"user_list\.csv, line 7, column SEX_ID: a quotation mark"
    ):
        find(data_dir, cache_dir)


def test_a_column_that_is_there_twice_is_named(data_dir, cache_dir):
    text = USERS.replace("SEX_ID", "age", 1).replace("USER_ID_hash", "SEX_ID", 1)
    (data_dir / "user_list.csv").write_text(text.replace("REG_DATE", "USER_ID_hash,X"))
    with pytest.raises(RawFileError, match=r"line 1: column \w+ is"):
        find(data_dir, cache_dir)
    twice = USERS.replace("\n", ",x\n").replace("USER_ID_hash,x", "USER_ID_hash,age", 1)
    (data_dir / "user_list.csv").write_text(twice)
    with pytest.raises(RawFileError, match=r"line 1: column AGE is there more than"):
        find(data_dir, cache_dir)


def test_rows_with_a_wrong_number_of_fields_are_set_aside(data_dir, cache_dir):
    lines = USERS.splitlines()
    lines[2:2] = ["only,two", "", "one,two,three,four,five,six,seven,eight"]
    (data_dir / "user_list.csv").write_text("\n".join(lines) + "\n")
    facts = find(data_dir, cache_dir)["user_list"].facts
    assert facts.n_rows == 7
    assert [(row.line, row.text, row.reason) for row in facts.malformed] == [
        (3, "only,two", "6 fields expected, 2 found, AGE is missing"),
        (
            5,
            "one,two,three,four,five,six,seven,eight",
            "6 fields expected, 8 found",
        ),
    ]
    # the first row is in line 2, the second, after three more lines, in line 6
    assert facts.line_shifts == ((1, 1), (2, 4))
    # from the register, too
    assert find(data_dir, cache_dir)["user_list"].facts == facts


def test_a_file_of_malformed_rows_is_refused(data_dir, cache_dir, monkeypatch):
    monkeypatch.setattr(csv_checks, "MAX_MALFORMED", 2)
    path = data_dir / "user_list.csv"
    path.write_text(USERS + "a,b\n" * 2)
    assert len(find(data_dir, cache_dir)["user_list"].facts.malformed) == 2
    path.write_text(USERS + "a,b\n" * 3)
    with pytest.raises(
        RawFileError, match=r"line 7: 6 fields expected, 2 found.*in 3 of 8 rows"
    ):
        find(data_dir, cache_dir)


@pytest.mark.parametrize(
    ("text", "n_rows", "shifts"),
    [
        (USERS, 5, ((1, 1),)),
        (USERS.rstrip("\n"), 5, ((1, 1),)),
        (USERS + "\n\n", 5, ((1, 1),)),
        (USERS.replace("\n", "\r"), 5, ((1, 1),)),
        (USERS.replace("x,x,3", '"x\r\nx\nx",x,3'), 5, ((1, 1), (5, 3))),
        (USERS.replace("x,x,3", "\n\nx,x,3"), 5, ((1, 1), (4, 3))),
    ],
)
def test_rows_are_counted_and_lines_known(data_dir, cache_dir, text, n_rows, shifts):
    (data_dir / "user_list.csv").write_text(text, newline="")
    facts = find(data_dir, cache_dir)["user_list"].facts
    assert (facts.n_rows, facts.line_shifts, facts.malformed) == (n_rows, shifts, ())


def test_mixed_line_ends_are_one_sentence(data_dir, cache_dir):
    text = USERS.replace("\n", "\r\n", 3)
    (data_dir / "user_list.csv").write_text(text, newline="")
    with pytest.raises(RawFileError, match=r"user_list\.csv cannot be read as CSV"):
        find(data_dir, cache_dir)


NOBODY = 65534


def look_as_nobody(data_dir: Path, cache_dir: Path, answer: Connection) -> None:
    """Look for the files without any user's rights; send what came of it."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    try:
        raw_files.declared_sources()
    except PermissionError:
        answer.send("skip")
        return
    try:
        find(data_dir, cache_dir)
        answer.send("found")
    except RawFileError as error:
        answer.send(str(error))


def told_as_nobody(data_dir: Path, cache_dir: Path) -> str:
    """Return what a user is told to whom no file here belongs; skip if none is so.

    Root may read any file, so that the child gives its rights up. It is forked, because
    another user may not be allowed to start this Python.
    """
    if not hasattr(os, "fork"):
        pytest.skip("no fork here: a child cannot give its rights up")
    fork = multiprocessing.get_context("fork")
    receiver, sender = fork.Pipe(duplex=False)
    child = fork.Process(target=look_as_nobody, args=(data_dir, cache_dir, sender))
    child.start()
    told = receiver.recv() if receiver.poll(60) else "no answer"
    child.join()
    if told == "skip":
        pytest.skip("the project's own files cannot be read by a user without rights")
    return told


@pytest.mark.parametrize(
    ("locked", "says"),
    [
        (None, "^found$"),
        ("user_list.csv", r"user_list\.csv must not be read by this user.*chmod u\+r "),
        ("", r"data must not be read by this user: .*chmod u\+rx "),
    ],
)
def test_what_must_not_be_read_is_named(locked, says):
    # not in pytest's own directory, which nobody else may enter
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        write_required(place / "data")
        (place / "cache").mkdir()
        place.chmod(0o755)
        (place / "cache").chmod(0o777)
        if locked is not None:
            (place / "data" / locked).chmod(0)
        told = told_as_nobody(place / "data", place / "cache")
        (place / "data").chmod(0o755)
    assert re.search(says, told), told


def test_fingerprints_are_of_the_bytes_zipped_or_not(data_dir, cache_dir):
    plain = find(data_dir, cache_dir)["user_list"]
    content = (data_dir / "user_list.csv").read_bytes()
    (data_dir / "user_list.csv").unlink()
    write_zip(data_dir, "user_list", {"anything.csv": content})
    zipped = find(data_dir, cache_dir)["user_list"]
    assert len(plain.fingerprint) == 64
    assert zipped.fingerprint == plain.fingerprint
    assert zipped.n_bytes == plain.n_bytes


def test_a_changed_file_has_another_fingerprint(data_dir, cache_dir):
    first = find(data_dir, cache_dir)
    write_csv(data_dir, "user_list", [{}, {}])
    second = find(data_dir, cache_dir)
    assert second["user_list"].fingerprint != first["user_list"].fingerprint
    unchanged = "coupon_list_train"
    assert second[unchanged].fingerprint == first[unchanged].fingerprint


def test_facts_of_an_earlier_version_of_the_checks_are_not_believed(
    data_dir, cache_dir, tmp_path, monkeypatch
):
    expected = find(data_dir, cache_dir)["user_list"].facts
    (register,) = cache_dir.rglob("facts.json")
    known = json.loads(register.read_text(encoding="utf-8"))
    for reading in known.values():
        reading["facts"]["n_rows"] = 99
    register.write_text(json.dumps(known), encoding="utf-8")
    assert find(data_dir, cache_dir)["user_list"].facts.n_rows == 99
    later = tmp_path / "csv_checks.py"
    later.write_text("# another version", encoding="utf-8")
    monkeypatch.setattr(csv_checks, "__file__", str(later))
    assert find(data_dir, cache_dir)["user_list"].facts == expected


@pytest.mark.parametrize("content", ["", "{", "[]", '{"user_list": {}}'])
def test_a_damaged_register_of_fingerprints_is_made_anew(data_dir, cache_dir, content):
    expected = find(data_dir, cache_dir)["user_list"].fingerprint
    (register,) = cache_dir.rglob("facts.json")
    register.write_text(content, encoding="utf-8")
    assert find(data_dir, cache_dir)["user_list"].fingerprint == expected


def test_directories_do_not_share_their_copies(tmp_path, cache_dir):
    paths = set()
    for directory in ("one", "two"):
        write_required(tmp_path / directory)
        zip_user_list(tmp_path / directory)
        paths.add(find(tmp_path / directory, cache_dir)["user_list"].path)
    assert len(paths) == 2
    assert all(path.is_file() for path in paths)


def test_the_data_directory_is_never_written_to(data_dir, cache_dir):
    zip_user_list(data_dir)
    before = listing(data_dir)
    find(data_dir, cache_dir)
    find(data_dir, cache_dir)
    assert listing(data_dir) == before


def test_one_file_is_found_without_the_others(tmp_path, cache_dir):
    plain = write_csv(tmp_path, "user_list", [{}])
    assert raw_files.find_file(tmp_path, cache_dir, "user_list") == plain
    assert raw_files.find_file(tmp_path, cache_dir, "coupon_list_test") is None
    write_zip(tmp_path, "coupon_list_test", {"a.csv": b"x"})
    path = raw_files.find_file(tmp_path, cache_dir, "coupon_list_test")
    assert cache_dir in path.parents
    assert path.read_bytes() == b"x"
