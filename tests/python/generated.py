"""Small worlds drawn by Hypothesis: files with ties, nulls and events on the edge."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

from build_raw_files import COLUMNS
from hostile import Files, Row, write_rows
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

#: Sundays on which coupons are released. At the one in the middle files are cut.
SUNDAYS = [dt.date(2012, 5, 6) + dt.timedelta(days=7 * week) for week in range(6)]
CUTOFF = SUNDAYS[3]
#: The competition's own week, that of the test list.
TEST_WEEK = dt.date(2012, 6, 24)
#: Number of a user and of a coupon that no list has.
NOT_LISTED = 999
FIRST_REGISTRATION = dt.datetime(2012, 4, 1)
BEFORE_ALL = dt.datetime(2012, 5, 1, 9)
#: With this purchase the last of the Sundays has a whole week behind it.
LAST_PURCHASE = dt.datetime(2012, 6, 16, 23, 59, 59)
DAYS = (
    *("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"),
    *("HOLIDAY", "BEFORE_HOLIDAY"),
)
#: Large area, prefecture and small area; of the last the seeds know nothing.
PLACES = (
    ("関東", "東京都", "銀座・新橋・東京・上野"),
    ("関東", "東京都", "恵比寿・目黒・品川"),
    ("関西", "大阪府", "キタ"),
    ("北海道", "北海道", "北海道"),
    ("どこか", "どこか県", "どこか"),
)
#: Capsule and genre; of the last the seeds know nothing.
GENRES = (
    ("宅配", "宅配"),
    ("グルメ", "グルメ"),
    ("ホテル", "ホテル・旅館"),
    ("旅館", "ホテル・旅館"),
    ("何か", "何か"),
)

#: Midnight at a cutoff, a second to either side, and times that many events share.
moments = st.builds(
    lambda sunday, seconds: (
        dt.datetime.combine(sunday, dt.time()) + dt.timedelta(seconds=seconds)
    ),
    st.sampled_from(SUNDAYS),
    st.sampled_from((0, -1, 1, 43_200, 3 * 86_400, 6 * 86_400 + 86_399)),
)
prices = st.sampled_from((0, 100, 101, 999, 1000, 1000, 12_345, 98_000))
places = st.sampled_from(PLACES)


def some_moments(least: int) -> st.SearchStrategy[list[dt.datetime]]:
    """Return a strategy for moments of events; any number of them is as likely."""
    return st.integers(least, 60).flatmap(
        lambda n: st.lists(moments, min_size=n, max_size=n)
    )


def identifier(kind: str, number: int) -> str:
    """Return an id of 32 characters, whose order tells nothing of the number's."""
    return hashlib.md5(f"{kind} {number}".encode(), usedforsecurity=False).hexdigest()


@st.composite
def users(draw, number: int) -> Row:
    """Draw a user; the first was registered before everything."""
    registered = draw(moments) if number else FIRST_REGISTRATION
    withdrawn = draw(st.none() | moments)
    return {
        "REG_DATE": str(registered),
        "SEX_ID": draw(st.sampled_from("fm")),
        "AGE": str(draw(st.sampled_from((0, 19, 20, 34, 34, 80, 120)))),
        "WITHDRAW_DATE": "NA"
        if withdrawn is None or withdrawn < registered
        else str(withdrawn),
        "PREF_NAME": draw(st.sampled_from(("", "NA", *(p[1] for p in PLACES)))),
        "USER_ID_hash": identifier("user", number),
    }


@st.composite
def coupons(draw, number: int, released: dt.datetime) -> Row:
    """Draw a coupon that is released at a moment."""
    capsule, genre = draw(st.sampled_from(GENRES))
    low, high = sorted((draw(prices), draw(prices)))
    n_days = draw(st.integers(0, 9))
    ended = released + dt.timedelta(days=n_days)
    n_valid = draw(st.none() | st.integers(0, 90))
    first = ended.date() + dt.timedelta(days=1)
    codes = draw(
        st.just(("NA",) * len(DAYS))
        | st.tuples(*[st.sampled_from("012") for _ in DAYS])
    )
    place = draw(st.just(("NA",) * 3) | places)
    return {
        "CAPSULE_TEXT": capsule,
        "GENRE_NAME": genre,
        "PRICE_RATE": str(100 * (high - low) // high if high else 0),
        "CATALOG_PRICE": str(high),
        "DISCOUNT_PRICE": str(low),
        "DISPFROM": str(released),
        "DISPEND": str(ended),
        "DISPPERIOD": str(n_days),
        "VALIDFROM": "NA" if n_valid is None else str(first),
        "VALIDEND": "NA"
        if n_valid is None
        else str(first + dt.timedelta(days=n_valid)),
        "VALIDPERIOD": "NA" if n_valid is None else str(n_valid),
        **{f"USABLE_DATE_{day}": code for day, code in zip(DAYS, codes, strict=True)},
        **dict(
            zip(("large_area_name", "ken_name", "small_area_name"), place, strict=True)
        ),
        "COUPON_ID_hash": identifier("coupon", number),
    }


@st.composite
def areas(draw, numbers: range) -> list[Row]:
    """Draw the areas of coupons: none, one or several of each, the first has one."""
    return [
        {
            "SMALL_AREA_NAME": small,
            "PREF_NAME": prefecture,
            "COUPON_ID_hash": identifier("coupon", number),
        }
        for number in numbers
        for _, prefecture, small in draw(
            st.lists(places, min_size=number == numbers[0], max_size=3, unique=True)
        )
    ]


@st.composite
def purchases(
    draw, registered: list[dt.datetime], released: list[dt.datetime]
) -> list[Row]:
    """Draw purchases by users registered and of coupons released at these moments.

    Some are of a user or coupon that no list has. The first comes before everything,
    the last ends the last week. Nobody buys before registering, or what is not released
    yet, but maybe in the same second.
    """
    times = [BEFORE_ALL, *draw(some_moments(0)), LAST_PURCHASE]
    rows = []
    for number, time in enumerate(times):
        user, since = draw(_with_start(registered)) if number else (0, BEFORE_ALL)
        coupon, since_when = draw(_with_start(released)) if number else (0, BEFORE_ALL)
        rows.append(
            {
                "ITEM_COUNT": str(draw(st.sampled_from((1, 1, 2, 10)))),
                "I_DATE": str(max(time, since, since_when)),
                "SMALL_AREA_NAME": draw(places)[2],
                "PURCHASEID_hash": identifier("purchase", number),
                "USER_ID_hash": identifier("user", user),
                "COUPON_ID_hash": identifier("coupon", coupon),
            }
        )
    return rows


def _with_start(starts: list[dt.datetime]) -> st.SearchStrategy:
    """Return a strategy for a number with its start, or one that no list has."""
    return st.sampled_from([*enumerate(starts), (NOT_LISTED, BEFORE_ALL)])


@st.composite
def visits(draw, registered: list[dt.datetime], n_coupons: int) -> list[Row]:
    """Draw a log of page views by users registered at these moments.

    Rows may be there twice, and coupons looked at before they are released.
    """
    rows = []
    for time in draw(some_moments(1)):
        user, since = draw(_with_start(registered))
        coupon = draw(st.sampled_from([*range(n_coupons), NOT_LISTED]))
        rows.append(
            {
                "PURCHASE_FLG": draw(st.sampled_from("01")),
                "I_DATE": str(max(time, since)),
                "PAGE_SERIAL": str(draw(st.integers(1, 3))),
                "REFERRER_hash": draw(st.sampled_from(("NA", identifier("page", 1)))),
                "VIEW_COUPON_ID_hash": identifier("coupon", coupon),
                "USER_ID_hash": identifier("user", user),
                "SESSION_ID_hash": identifier("session", draw(st.integers(0, 3))),
                "PURCHASEID_hash": "NA",
            }
        )
    return rows


@st.composite
def worlds(draw) -> Files:
    """Draw the files of a world of a few users and coupons.

    A coupon is released before everything and one exactly at the cutoff, so that files
    cut at it are files still. Test list, its areas and the page views may be missing.
    """
    n_users, n_coupons = draw(st.integers(1, 9)), draw(st.integers(3, 24))
    midnight = dt.datetime.combine(CUTOFF, dt.time())
    releases = [BEFORE_ALL, midnight]
    releases += draw(st.lists(moments, min_size=n_coupons - 2, max_size=n_coupons - 2))
    files = {
        "user_list": [draw(users(number)) for number in range(n_users)],
        "coupon_list_train": [
            draw(coupons(number, released)) for number, released in enumerate(releases)
        ],
        "coupon_area_train": draw(areas(range(n_coupons))),
    }
    registered = [
        dt.datetime.fromisoformat(user["REG_DATE"]) for user in files["user_list"]
    ]
    files["coupon_detail_train"] = draw(purchases(registered, releases))
    if draw(st.booleans()):
        files["coupon_visit_train"] = draw(visits(registered, n_coupons))
    n_tested = draw(st.integers(0, 12))
    if n_tested:
        start = dt.datetime.combine(TEST_WEEK, dt.time(12))
        numbers = range(n_coupons, n_coupons + n_tested)
        files["coupon_list_test"] = [draw(coupons(n, start)) for n in numbers]
        files["coupon_area_test"] = draw(areas(numbers))
    return files


def drawn(number: int) -> Files:
    """Return the world of a number, the same on every machine; 0 is the simplest."""
    found: list[Files] = []

    @seed(number)
    @settings(
        max_examples=8 if number else 1,
        database=None,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(worlds())
    def take(files: Files) -> None:
        found.append(files)

    take()
    # the first of a run is the simplest; of the others take the one with most events
    return max(found, key=lambda files: len(files["coupon_detail_train"]))


def write_world(directory: Path, files: Files) -> Path:
    """Write the files of a world and return their directory."""
    directory.mkdir(parents=True)
    for name, rows in files.items():
        assert all(set(row) == set(COLUMNS[name]) for row in rows), name
        write_rows(directory, name, rows)
    return directory
