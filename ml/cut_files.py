"""The competition's files as they were known at a cutoff, for tests and benchmarks."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ml.csv_checks import LONGEST_ROW, quoted
from ml.raw_files import find_file

COUPON_FILES = ("coupon_list_train", "coupon_list_test")
AREA_FILES = ("coupon_area_train", "coupon_area_test")
LOGS = ("coupon_detail_train", "coupon_visit_train")
#: No time of the files is later.
AFTER_ALL = dt.date(9000, 1, 1)


@dataclass(frozen=True)
class Span:
    """What part of the history files hold.

    Attributes
    ----------
    since
        First day with purchases and page views; None for all there are.
    until
        Cutoff at whose beginning they end; None for all there are.
    """

    since: dt.date | None = None
    until: dt.date | None = None


WHOLE = Span()


def cut_files(source: Path, target: Path, span: Span, cache_dir: Path) -> Path:
    """Write the files as they would have been known at a cutoff.

    Left out: purchases and visits outside of the span, users registered and coupons
    released for sale after the target week, and those coupons' areas. A withdrawal at
    or after the cutoff is not known yet. A row of a log without a time is left out.
    What is left of a log is the beginning of its bytes, if it was sorted by time and no
    beginning was asked for, with plain line ends and nothing quoted without need.

    Parameters
    ----------
    source, target
        Directory of the files, zipped or not, and one that must not be there yet.
    span
        What the logs hold afterwards; it ends on a Sunday.
    cache_dir
        Where zips are unpacked.
    """
    target.mkdir(parents=True)
    cutoff = span.until or AFTER_ALL
    since = quoted(f"{span.since or dt.date.min} 00:00:00")
    at_cutoff = quoted(f"{cutoff} 00:00:00")
    week_end = quoted(f"{cutoff + dt.timedelta(days=7)} 00:00:00")

    with duckdb.connect() as connection:

        def rows_of(name: str) -> str | None:
            path = find_file(source, cache_dir, name)
            return path and (
                f"read_csv({quoted(str(path))}, all_varchar = true, header = true, "
                "delim = ',', quote = '\"', escape = '\"', nullstr = '', "
                f"encoding = 'utf-8', max_line_size = {LONGEST_ROW})"
            )

        def write(name: str, condition: str, columns: str = "*") -> None:
            rows = rows_of(name)
            if rows:
                path = quoted(str(target / f"{name}.csv"))
                connection.execute(
                    f"copy (select {columns} from {rows} where {condition}) "
                    f"to {path} (header, delimiter ',', nullstr '')"
                )

        for name in LOGS:
            write(name, f"I_DATE >= {since} and I_DATE < {at_cutoff}")
        write(
            "user_list",
            f"REG_DATE < {week_end}",
            f"* replace (case when WITHDRAW_DATE >= {at_cutoff} then 'NA' "
            "else WITHDRAW_DATE end as WITHDRAW_DATE)",
        )
        for name in COUPON_FILES:
            write(name, f"DISPFROM < {week_end}")
        listed = " union all ".join(
            f"select COUPON_ID_hash from {rows} where DISPFROM < {week_end}"
            for rows in map(rows_of, COUPON_FILES)
            if rows
        )
        for name in AREA_FILES:
            write(name, f"COUPON_ID_hash in ({listed})")
        write("prefecture_locations", "true")
    return target
