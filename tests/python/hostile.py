"""Names and ids that look like commands, markup or formulas; files that hold them."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

#: A script that a page must never run, in three guises.
SCRIPT = "<script>window.hacked = 1</script>"
IMAGE = "\"'><img src=x onerror='window.hacked = 1'>"
END_OF_SCRIPT = f"</script>{SCRIPT}"
LONG = "長" * 333_334
NAMES = (
    *(SCRIPT, IMAGE, END_OF_SCRIPT),
    'O\'Brien & "Söhne"; drop table core.dim_users; --',
    *("=1+1", "+1", "-1+1", "@SUM(A1)", '=HYPERLINK("http://x.invalid","go")'),
    "zero\u200bwidth\ufeff\u200d joined",
    "\u202eright to left\u2066",
    "first line\nsecond line\r\n# third line",
    "\x1b[31mred\x1b]0;title\x07",
    "| a | `b` | [c](javascript:window.hacked=1) | ![d](x) \\",
    "{{ 7 * 7 }} {% raw %} {0} %s $1 ${HOME} $(id)",
    "\U0001f600 family \U0001f468\u200d\U0001f469\u200d\U0001f467 e\u0301",
)
#: Ids have 32 characters; these are all that can be wrong with them.
IDS = tuple(
    f"{start}{'0123456789abcdef' * 2}"[:32]
    for start in (
        *("=1+1", "+1", "@SUM(A1)", "-1"),
        *("<img/src=x/onerror=hacked=1>", "</script><script>hacked=1//"),
        *('"', "','", "a,b;c|d`", "'';drop_table_x;--", "\u200b", "\U0001f600"),
    )
)
LISTS = ("coupon_list_train", "coupon_list_test")
AREAS = ("coupon_area_train", "coupon_area_test")
#: Columns that hold names, by kind and file.
NAME_COLUMNS = {
    "genre": dict.fromkeys(LISTS, "GENRE_NAME"),
    "capsule": dict.fromkeys(LISTS, "CAPSULE_TEXT"),
    "large_area": dict.fromkeys(LISTS, "large_area_name"),
    "prefecture": {
        "user_list": "PREF_NAME",
        **dict.fromkeys(LISTS, "ken_name"),
        **dict.fromkeys(AREAS, "PREF_NAME"),
    },
    "small_area": {
        **dict.fromkeys(LISTS, "small_area_name"),
        **dict.fromkeys(AREAS, "SMALL_AREA_NAME"),
    },
}
ID_COLUMNS = {"user_list": "USER_ID_hash", "coupon_list_test": "COUPON_ID_hash"}
Row = dict[str, str]
Files = dict[str, list[Row]]


def write_hostile(source: Path, target: Path) -> Path:
    """Write files of a sample in which every second name is hostile, and some ids.

    The names that are most frequent of each kind are among them, so that they are seen
    wherever names are shown. In each column one row has a name of a million bytes.
    """
    files = read_files(source)
    for place, columns in enumerate(NAME_COLUMNS.values()):
        _rename(files, columns, _names_for(files, columns))
        for name, column in columns.items():
            files[name][place][column] = LONG
    for name, column in ID_COLUMNS.items():
        old = [row[column] for row in files[name]]
        replaced = dict(zip(old, IDS, strict=False))
        for rows in files.values():
            for row in rows:
                row |= {key: replaced.get(value, value) for key, value in row.items()}
    target.mkdir(parents=True)
    for name, rows in files.items():
        write_rows(target, name, rows)
    return target


def _names_for(files: Files, columns: dict[str, str]) -> dict[str, str]:
    """Return hostile names by the frequent names in the place of which they stand."""
    counted = Counter(
        row[column] for name, column in columns.items() for row in files[name]
    )
    frequent = [value for value, _ in counted.most_common() if value not in ("", "NA")]
    return dict(zip(frequent[::2], NAMES, strict=False))


def _rename(files: Files, columns: dict[str, str], names: dict[str, str]) -> None:
    for name, column in columns.items():
        for row in files[name]:
            row[column] = names.get(row[column], row[column])


def read_files(directory: Path) -> Files:
    """Return the rows of all files of a directory by the file's name."""
    files = {}
    for path in sorted(directory.glob("*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as file:
            files[path.stem] = list(csv.DictReader(file))
    return files


def write_rows(directory: Path, name: str, rows: list[Row]) -> None:
    """Write one file of the directory; there is at least one row."""
    with (directory / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
