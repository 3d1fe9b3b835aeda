"""Analyses answer their question on any data: compiled by dbt, run for reading only."""

from __future__ import annotations

import csv
import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import duckdb
import pytest
from warehouses import World, build_marts

from ml import explore
from ml.cli import CommandError
from ml.explore import Answer, Question, read_comment
from ml.manifest import read_manifest
from ml.settings import PROJECT_DIR
from ml.warehouse import Warehouse

ANALYSES = sorted((PROJECT_DIR / "analyses").glob("*.sql"))
NAMES = [path.stem for path in ANALYSES]
#: Without a visit log nothing is known of the way to a purchase.
NEEDS_VISITS = "view_to_purchase"
WEEKDAYS = (
    *("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
)

Ask = Callable[[str], list[dict]]


def ids(path: Path) -> str:
    return path.stem


@pytest.fixture(scope="module")
def compiled(sample_world) -> dict:
    """Manifest with the analyses as SQL for a warehouse called as the sample's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PONPARE_DB", str(sample_world.database))
        return read_manifest(compiled=True, select=explore.ANALYSES)


@pytest.fixture(scope="module")
def questions(compiled) -> dict[str, Question]:
    """All questions by name."""
    return {question.name: question for question in explore.questions(compiled)}


def asker(world: World, questions: dict[str, Question]) -> Ask:
    """Return a function that runs an analysis and gives its rows as dictionaries."""

    def ask(name: str) -> list[dict]:
        with duckdb.connect(str(world.database), read_only=True) as connection:
            found = explore.answer(Warehouse(connection), questions[name])
        return [dict(zip(found.columns, row, strict=True)) for row in found.rows]

    return ask


@pytest.fixture(scope="module")
def ask(sample_world, questions) -> Ask:
    """Ask the sample's warehouse."""
    return asker(sample_world, questions)


@pytest.fixture(scope="module")
def ask_without_visits(sample_dir, questions, tmp_path_factory) -> Ask:
    """Ask a warehouse of the sample's files without those that may be absent."""
    directory = tmp_path_factory.mktemp("required")
    for name in ("user_list", "coupon_list_train", "coupon_area_train"):
        (directory / f"{name}.csv").symlink_to(sample_dir / f"{name}.csv")
    purchases = "coupon_detail_train.csv"
    (directory / purchases).symlink_to(sample_dir / purchases)
    # SQL names the warehouse: its file is called as that of the other one
    database = tmp_path_factory.mktemp("without_visits") / "sample.duckdb"
    world = World(directory, database)
    build_marts(
        world, "--select", "+path:models/marts/core", "int_prefecture_distances"
    )
    return asker(world, questions)


@pytest.fixture(scope="module")
def files(sample_dir) -> dict[str, list[dict]]:
    """Rows of the sample's files, read without dbt and without SQL."""
    found = {}
    for path in sorted(sample_dir.glob("*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as file:
            found[path.stem] = list(csv.DictReader(file))
    return found


@pytest.fixture(scope="module")
def coupons(files) -> dict[str, dict]:
    """Coupons of both lists by their hash."""
    rows = [*files["coupon_list_train"], *files["coupon_list_test"]]
    return {row["COUPON_ID_hash"]: row for row in rows}


@pytest.fixture(scope="module")
def purchases(files) -> list[dict]:
    return files["coupon_detail_train"]


def seed(name: str) -> list[dict]:
    path = PROJECT_DIR / "seeds" / f"{name}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def day(timestamp: str) -> dt.date:
    return dt.date.fromisoformat(timestamp[:10])


def sunday(date: dt.date) -> dt.date:
    return date - dt.timedelta(days=(date.weekday() + 1) % 7)


def genre_of(row: dict) -> str:
    names = {genre["genre_ja"]: genre["genre"] for genre in seed("genres")}
    return names[row["GENRE_NAME"]]


def large_area_of(row: dict) -> str:
    names = {
        place["prefecture_ja"]: place["large_area"] for place in seed("prefectures")
    }
    return names[row["ken_name"]]


@pytest.mark.parametrize("path", ANALYSES, ids=ids)
def test_says_its_question_first_and_answers_below(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    comment = [line for line in lines[: lines.index("")] if line.startswith("--")]
    assert lines[0].startswith("-- question: ")
    assert lines[0].endswith("?")
    assert len(comment) > 3, "no comment says what the answer means"


@pytest.mark.parametrize("name", NAMES)
def test_returns_rows_with_the_documented_columns_and_key(ask, questions, name):
    question, rows = questions[name], ask(name)
    assert rows
    assert question.keys
    assert tuple(rows[0]) == question.columns
    keys = Counter(tuple(row[key] for key in question.keys) for row in rows)
    assert [key for key, n in keys.items() if n > 1] == []


@pytest.mark.full
@pytest.mark.parametrize("name", NAMES)
def test_answers_without_a_visit_log(ask_without_visits, questions, name):
    rows = ask_without_visits(name)
    assert (rows == []) == (name == NEEDS_VISITS)
    keys = [tuple(row[key] for key in questions[name].keys) for row in rows]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("name", NAMES)
def test_rows_come_in_the_same_order_each_time(ask, name):
    assert ask(name) == ask(name)


@pytest.mark.parametrize("name", NAMES)
def test_the_rows_that_the_page_shows_exist(ask, questions, name):
    question, rows = questions[name], ask(name)
    for column, values in question.shown.items():
        wanted = set(values if isinstance(values, list) else [values])
        assert wanted <= {row[column] for row in rows}


@pytest.mark.full
def test_a_view_or_its_absence_is_told_of_events(ask, ask_without_visits):
    kinds = {row["event_kind"] for row in ask("weekly_rhythm")}
    assert kinds == {"purchase", "view", "registration"}
    kinds = {row["event_kind"] for row in ask_without_visits("weekly_rhythm")}
    assert kinds == {"purchase", "registration"}


@pytest.mark.full
def test_without_a_test_list_nothing_is_said_of_it(ask_without_visits):
    rows = ask_without_visits("list_differences")
    assert {row["n_test"] for row in rows} == {0}
    assert {row["test_percent"] for row in rows} == {None}
    assert sum(row["n_train"] for row in rows if row["attribute"] == "genre") > 0


def test_nine_day_rules_are_null_together_or_not_at_all(ask):
    rows = [row for row in ask("usable_date_values") if row["question"][0] == "1"]
    assert {row["value"] for row in rows} == {"0", "9"}


def test_shares_of_each_group_sum_to_100(ask):
    totals: dict[tuple, float] = {}
    for row in ask("usable_date_values"):
        key = row["question"], row["group_name"]
        totals[key] = totals.get(key, 0) + float(row["percent_of_group"])
    # each share is rounded to a tenth
    assert {key: total for key, total in totals.items() if abs(total - 100) > 1} == {}


def test_missing_values_cover_every_column_of_every_file(ask, sample_world):
    with duckdb.connect(str(sample_world.database), read_only=True) as connection:
        columns = connection.execute(
            "select table_name, column_name from information_schema.columns "
            "where table_schema = 'raw' and column_name != 'file_line' "
            "and table_name not in "
            "('source_files', 'file_states', 'malformed_rows', 'project_code')"
        ).fetchall()
    rows = ask("missing_values")
    assert {(row["file_name"], row["column_name"]) for row in rows} == set(columns)
    assert len(rows) == len(columns)


def test_every_missing_value_of_the_sample_has_a_meaning(ask):
    absent = [row for row in ask("missing_values") if row["n_missing"] + row["n_empty"]]
    assert len(absent) > 10
    assert [row for row in absent if row["meaning"].startswith("not known")] == []


def test_outliers_are_counted_among_all_coupons(ask, sample_world):
    rows = {row["group_name"]: row for row in ask("price_outliers")}
    with duckdb.connect(str(sample_world.database), read_only=True) as connection:
        ((n_coupons, n_free),) = connection.execute(
            "select count(*), count(*) filter (where discount_price_yen = 0) "
            "from core.dim_coupons"
        ).fetchall()
    assert rows["all coupons"]["n_coupons"] == n_coupons
    assert rows["free"]["n_coupons"] == n_free > 0
    assert rows["free"]["max_price_yen"] == 0


# Each answer against a count of the files in plain Python


def test_heavy_buyers_and_the_old_are_counted(ask, files, purchases):
    rows = {row["group_name"]: row for row in ask("user_outliers")}
    of_user = Counter(row["USER_ID_hash"] for row in purchases)
    most = max(of_user.values())
    assert rows["all users"]["n_users"] == len(files["user_list"])
    assert rows["all users"]["max_purchases"] == most
    assert rows["one purchase"]["n_users"] == sum(n == 1 for n in of_user.values()) > 0
    heavy = [n for n in of_user.values() if n >= 30]
    assert rows["30 or more purchases"]["n_users"] == len(heavy) > 0
    assert rows["30 or more purchases"]["n_purchases"] == sum(heavy)
    silent = len(files["user_list"]) - len(of_user)
    assert rows["no purchase"]["n_users"] == silent
    weeks = Counter(
        (row["USER_ID_hash"], sunday(day(row["I_DATE"]))) for row in purchases
    )
    busy = {user for (user, _), n in weeks.items() if n >= 10}
    assert rows["10 or more purchases in one week"]["n_users"] == len(busy)


def test_bands_hold_every_value_once(ask, files, coupons, purchases):
    n_rows = Counter()
    for row in ask("value_distributions"):
        n_rows[row["measure"]] += row["n"]
    for measure in ("list price, yen", "price, yen", "discount, percent", "days valid"):
        assert n_rows[measure] == len(coupons)
    assert n_rows["age of a user, years"] == len(files["user_list"])
    assert n_rows["purchases of a user"] == len(files["user_list"])
    assert n_rows["pieces in a purchase"] == len(purchases)


def test_bands_hold_what_they_say(ask, files, coupons, purchases):
    rows = {
        (row["measure"], row["band"]): row["n"] for row in ask("value_distributions")
    }
    prices = [int(row["DISCOUNT_PRICE"]) for row in coupons.values()]
    assert rows["price, yen", "101-1000"] == sum(101 <= p <= 1000 for p in prices) > 0
    assert rows["price, yen", "20001 or more"] == sum(p > 20000 for p in prices) > 0
    validity = [row["VALIDPERIOD"] for row in coupons.values()]
    assert rows["days valid", "no value"] == validity.count("NA") > 0
    of_user = Counter(row["USER_ID_hash"] for row in purchases)
    counts = [of_user[row["USER_ID_hash"]] for row in files["user_list"]]
    assert rows["purchases of a user", "0"] == counts.count(0)
    assert rows["purchases of a user", "3-4"] == counts.count(3) + counts.count(4) > 0
    assert (
        rows["days on sale", "3"]
        == Counter(row["DISPPERIOD"] for row in coupons.values())["3"]
    )


def test_shares_add_up_over_the_bands(ask):
    lowest: dict[str, float] = {}
    for row in ask("value_distributions"):
        assert row["cumulative_percent"] >= lowest.get(row["measure"], 0)
        lowest[row["measure"]] = row["cumulative_percent"]
    assert set(lowest.values()) == {100.0}


def test_a_week_of_genre_and_area_is_counted(ask, coupons, purchases):
    counted = Counter()
    spent = Counter()
    for row in purchases:
        coupon = coupons[row["COUPON_ID_hash"]]
        key = genre_of(coupon), large_area_of(coupon), sunday(day(row["I_DATE"]))
        counted[key] += 1
        spent[key] += int(row["ITEM_COUNT"]) * int(coupon["DISCOUNT_PRICE"])
    rows = ask("genre_area_weeks")
    keys = [(row["genre"], row["large_area"], row["week_start_date"]) for row in rows]
    assert {k: r["n_purchases"] for k, r in zip(keys, rows, strict=True)} == {
        key: counted[key] for key in keys
    }
    assert {k: r["spend_yen"] for k, r in zip(keys, rows, strict=True)} == {
        key: spent[key] for key in keys
    }
    assert set(counted) <= set(keys)
    # weeks without a purchase are rows too
    assert any(counted[key] == 0 for key in keys)


def test_the_pattern_of_a_pair_is_that_of_its_full_weeks(ask, coupons, purchases):
    days = [day(row["I_DATE"]) for row in purchases]
    first, last = sunday(min(days)), sunday(max(days))
    weeks = [
        first + dt.timedelta(days=7 * n) for n in range((last - first).days // 7 + 1)
    ]
    weeks = [
        week
        for week in weeks
        if week >= min(days) and week + dt.timedelta(days=6) <= max(days)
    ]
    counted = Counter(
        sunday(day(row["I_DATE"]))
        for row in purchases
        if genre_of(coupons[row["COUPON_ID_hash"]]) == "food"
        and large_area_of(coupons[row["COUPON_ID_hash"]]) == "kanto"
    )
    counts = [counted[week] for week in weeks]
    (row,) = (
        row
        for row in ask("genre_area_patterns")
        if (row["genre"], row["large_area"]) == ("food", "kanto")
    )
    assert row["n_purchases"] == sum(counts) > 0
    assert row["n_weeks_with_purchases"] == sum(n > 0 for n in counts)
    assert row["median_week_purchases"] == median(counts)
    assert row["busiest_week_purchases"] == max(counts)
    assert row["busiest_week_date"] == weeks[counts.index(max(counts))]


def test_prices_of_a_discount_are_those_of_its_coupons(ask, coupons, purchases):
    last = max(row["I_DATE"] for row in purchases)
    of_coupon = Counter(row["COUPON_ID_hash"] for row in purchases)
    members = {
        key: row
        for key, row in coupons.items()
        if row["DISPFROM"] <= last and 71 <= int(row["PRICE_RATE"]) <= 80
    }
    dear = {
        key: row for key, row in members.items() if int(row["DISCOUNT_PRICE"]) > 100
    }
    assert len(dear) < len(members)
    rows = {
        row["group_name"]: row
        for row in ask("price_discounts")
        if row["discount_band"] == "71-80" and row["split_by"] == "all"
    }
    for group, chosen in (("all coupons", members), ("above 100 yen", dear)):
        row = rows[group]
        assert row["n_coupons"] == len(chosen)
        assert row["median_list_price_yen"] == median(
            int(coupon["CATALOG_PRICE"]) for coupon in chosen.values()
        )
        assert row["n_purchases"] == sum(of_coupon[key] for key in chosen)
        assert row["median_purchases"] == median(of_coupon[key] for key in chosen)


def test_a_group_of_users_buys_what_its_members_buy(ask, files, coupons, purchases):
    women = {row["USER_ID_hash"] for row in files["user_list"] if row["SEX_ID"] == "f"}
    genres = {key: genre_of(row) for key, row in coupons.items()}
    bought = [
        row["USER_ID_hash"]
        for row in purchases
        if genres[row["COUPON_ID_hash"]] == "delivery"
    ]
    by_women = [user for user in bought if user in women]
    of_women = sum(row["USER_ID_hash"] in women for row in purchases)
    (row,) = (
        row
        for row in ask("buyer_groups")
        if (row["group_name"], row["genre"]) == ("female", "delivery")
    )
    assert row["n_users"] == len(women)
    assert row["n_purchases"] == len(by_women) > 0
    assert row["n_buyers"] == len(set(by_women)) < len(by_women)
    share, of_all = len(by_women) / of_women, len(bought) / len(purchases)
    assert row["percent_of_group"] == pytest.approx(100 * share, abs=0.051)
    assert row["times_the_average"] == pytest.approx(share / of_all, abs=0.0051)


def test_every_split_of_the_users_holds_all_purchases(ask, purchases):
    totals = Counter()
    for row in ask("buyer_groups"):
        totals[row["split_by"]] += row["n_purchases"]
    assert totals == dict.fromkeys(("sex", "age", "prefecture"), len(purchases))


def test_purchases_at_home_are_those_in_the_own_prefecture(
    ask, files, coupons, purchases
):
    home = {row["USER_ID_hash"]: row["PREF_NAME"] for row in files["user_list"]}
    of_food = [
        (home[row["USER_ID_hash"]], coupons[row["COUPON_ID_hash"]]["ken_name"])
        for row in purchases
        if genre_of(coupons[row["COUPON_ID_hash"]]) == "food"
    ]
    known = [(user, shop) for user, shop in of_food if user]
    offered = Counter(
        row["ken_name"] for row in coupons.values() if genre_of(row) == "food"
    )
    at_home = sum(user == shop for user, shop in known)
    at_random = sum(offered[user] for user, _ in known)
    rows = {
        row["distance_bin"]: row
        for row in ask("buyer_distances")
        if row["genre"] == "food"
    }
    assert rows["0 km"]["n_purchases"] == at_home > 0
    assert rows["unknown"]["n_purchases"] == len(of_food) - len(known) > 0
    assert rows["0 km"]["percent_of_known"] == pytest.approx(
        100 * at_home / len(known), abs=0.051
    )
    assert rows["0 km"]["percent_at_random"] == pytest.approx(
        100 * at_random / len(known) / offered.total(), abs=0.051
    )
    assert rows["500+ km"]["cumulative_percent"] == 100
    assert sum(row["n_purchases"] for row in rows.values()) == len(of_food)


def test_the_path_to_a_purchase_is_counted_by_pairs(ask, files, coupons, purchases):
    bought: dict[tuple, str] = {}
    for row in sorted(purchases, key=lambda row: row["I_DATE"]):
        bought.setdefault((row["USER_ID_hash"], row["COUPON_ID_hash"]), row["I_DATE"])
    views = defaultdict(list)
    for row in files["coupon_visit_train"]:
        if row["VIEW_COUPON_ID_hash"] in coupons:
            pair = row["USER_ID_hash"], row["VIEW_COUPON_ID_hash"]
            views[pair].append(row["I_DATE"])
    before = {
        pair: [at for at in times if at <= bought.get(pair, "9999")]
        for pair, times in views.items()
    }
    twice = [pair for pair, times in before.items() if len(times) == 2]
    rows = {(row["question"][0], row["value"]): row for row in ask(NEEDS_VISITS)}
    assert rows["1", "2"]["n_pairs"] == len(twice) > 0
    assert rows["1", "2"]["n_bought"] == sum(pair in bought for pair in twice) > 0
    assert rows["5", "viewed before"]["n_pairs"] == sum(
        bool(before.get(pair)) for pair in bought
    )
    assert rows["5", "no view before"]["n_pairs"] == sum(
        not before.get(pair) for pair in bought
    )
    same_day = [
        pair
        for pair, at in bought.items()
        if before.get(pair) and day(min(before[pair])) == day(at)
    ]
    assert rows["4", "0"]["n_pairs"] == len(same_day) > 0


def test_events_are_counted_by_weekday_holiday_and_hour(ask, files, purchases):
    rows = {
        (row["event_kind"], row["split_by"][2:], row["group_name"]): row
        for row in ask("weekly_rhythm")
    }
    days = [day(row["I_DATE"]) for row in purchases]
    for number, weekday in enumerate(WEEKDAYS):
        assert rows["purchase", "weekday", weekday]["n_events"] == sum(
            date.weekday() == number for date in days
        )
    holidays = {day(row["holiday_date"]) for row in seed("holidays")}
    row = rows["purchase", "kind of day", "public holiday"]
    assert row["n_events"] == sum(date in holidays for date in days) > 0
    assert row["n_days"] == sum(min(days) <= date <= max(days) for date in holidays)
    eves = {date - dt.timedelta(days=1) for date in holidays} - holidays
    eves = {date for date in eves if date.weekday() < 5}
    row = rows["purchase", "kind of day", "day before a holiday"]
    assert row["n_events"] == sum(date in eves for date in days)
    hours = Counter(row["REG_DATE"][11:13] for row in files["user_list"])
    assert rows["registration", "hour", "9"]["n_events"] == hours["09"] > 0


def test_new_members_are_followed_from_registration(ask, files, purchases):
    first: dict[str, dt.date] = {}
    for row in sorted(purchases, key=lambda row: row["I_DATE"]):
        first.setdefault(row["USER_ID_hash"], day(row["I_DATE"]))
    days = [day(row["I_DATE"]) for row in purchases]
    members = {
        row["USER_ID_hash"]: day(row["REG_DATE"])
        for row in files["user_list"]
        if min(days) <= day(row["REG_DATE"]) <= max(days)
    }
    waits = [
        (first[user] - since).days for user, since in members.items() if user in first
    ]
    followed = {
        user: since for user, since in members.items() if (max(days) - since).days >= 30
    }
    quick = [
        user
        for user, since in followed.items()
        if user in first and (first[user] - since).days <= 30
    ]
    rows = ask("first_purchases")
    assert rows[0]["registration_month"] == "all months"
    assert rows[0]["n_users"] == len(members) == sum(row["n_users"] for row in rows[1:])
    assert rows[0]["n_buyers"] == len(waits)
    assert rows[0]["median_days_to_purchase"] == median(waits)
    assert len(quick) < len(followed) < len(members)
    assert rows[0]["bought_within_30_days_percent"] == pytest.approx(
        100 * len(quick) / len(followed), abs=0.051
    )
    # nobody of the last month was followed for so long
    assert rows[-1]["bought_within_90_days_percent"] is None


def test_lists_are_compared_by_attribute(ask, files):
    train, test = files["coupon_list_train"], files["coupon_list_test"]
    rows = {(row["attribute"], row["value"]): row for row in ask("list_differences")}
    delivery = rows["genre", "delivery"]
    assert delivery["n_train"] == sum(genre_of(row) == "delivery" for row in train)
    in_test = sum(genre_of(row) == "delivery" for row in test)
    assert delivery["n_test"] == in_test > 0
    last = max(day(row["DISPFROM"]) for row in train)
    recent = [row for row in train if (last - day(row["DISPFROM"])).days < 28]
    in_recent = sum(genre_of(row) == "delivery" for row in recent)
    assert delivery["n_recent"] == in_recent > 0
    points = 100 * (in_test / len(test) - in_recent / len(recent))
    assert delivery["test_minus_recent_points"] == pytest.approx(points, abs=0.051)

    def offer(row: dict) -> tuple:
        return tuple(
            row[name]
            for name in (
                "CATALOG_PRICE",
                "DISCOUNT_PRICE",
                "small_area_name",
                "GENRE_NAME",
            )
        )

    since: dict[tuple, str] = {}
    for row in (*train, *test):
        key = offer(row)
        since[key] = min(since.get(key, row["DISPFROM"]), row["DISPFROM"])
    again = sum(since[offer(row)] < row["DISPFROM"] for row in test)
    assert rows["shop and offer", "issued before"]["n_test"] == again > 0


# The command line


def test_the_brief_answer_is_the_start_of_the_first_paragraph():
    sql = (
        "-- question: is it so?\n--\n-- On the files (a. b, .5 %) it is\n-- so. Half"
        " is not. A third sentence.\n--\n-- detail: x.\nselect 1"
    )
    assert read_comment(sql) == (
        "is it so?",
        "On the files (a. b, .5 %) it is so. Half is not.",
    )


def test_rows_are_chosen_by_value_or_list():
    answer = Answer(("a", "b"), [(1, "x"), (2, "y"), (2, "x")])
    assert answer.chosen({"b": "x"}).rows == [(1, "x"), (2, "x")]
    assert answer.chosen({"a": [1, 2], "b": ["y"]}).rows == [(2, "y")]
    assert answer.chosen({}) == answer


QUESTION = Question("q", "why?", "So.", "One row.", ("a", "n"), ("a",), {}, "")
ROWS = Answer(("a", "n"), [("x", 1234), ("y", None), ("z", True)])


def test_a_terminal_shows_the_first_rows_and_counts_the_others():
    assert explore.terminal(QUESTION, ROWS, 2) == [
        *("q: why?", "", "So.", ""),
        *("  a  n", "  x  1,234", "  y"),
        *("(1 more of 3 rows left out)", ""),
    ]
    assert explore.terminal(QUESTION, ROWS, 3)[-2:] == ["  z  yes", ""]
    assert explore.NO_ROWS in explore.terminal(QUESTION, Answer(("a",), []), 2)[-2]


def test_a_page_shows_question_answer_and_chosen_rows():
    chosen = Question(
        "q", "why?", "So.", "One row.", ("a", "n"), ("a",), {"a": "y"}, ""
    )
    assert explore.section(chosen, ROWS) == [
        *("## q", "", "**Why?** So.", "", "One row.", ""),
        *("| a | n |", "| --- | --- |", "| y |  |"),
        *("", "(2 more of 3 rows left out)"),
    ]


def test_the_command_answers(sample_world):
    done = sample_world.python("-m", "ml.explore", "price_outliers", "--rows", "2")
    assert "all coupons" in done.stdout
    assert "(7 more of 9 rows left out)" in done.stdout


def test_the_command_lists_and_refuses(compiled, monkeypatch, capsys):
    monkeypatch.setattr(explore, "read_manifest", lambda **_: compiled)
    assert explore.main([]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert listed == NAMES
    assert explore.main(["nothing"]) == 1
    assert capsys.readouterr().err.startswith("error: no question is called nothing")
    assert explore.main(["price_outliers", "--write", "page.md"]) == 1
    assert "name none" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        explore.main(["--rows", "0"])
    assert "'0' is not a number of rows" in capsys.readouterr().err


def test_rows_of_real_files_stay_out_of_docs(monkeypatch, tmp_path):
    monkeypatch.setenv("PONPARE_DATA_DIR", str(tmp_path))
    with pytest.raises(CommandError, match="sample data only"):
        explore.check_may_be_published(PROJECT_DIR / "docs" / "exploration.md")
    explore.check_may_be_published(tmp_path / "exploration.md")
    (tmp_path / "SYNTHETIC.txt").touch()
    explore.check_may_be_published(PROJECT_DIR / "docs" / "exploration.md")


def sections(page: str) -> Iterator[tuple[str, list[str]]]:
    for part in page.split("\n## ")[1:]:
        lines = part.splitlines()
        yield lines[0], lines


def test_the_page_holds_every_question_in_its_present_words(questions):
    page = (PROJECT_DIR / "docs" / "exploration.md").read_text(encoding="utf-8")
    assert "synthetic sample" in page.split("\n## ")[0]
    found = dict(sections(page))
    assert list(found) == NAMES
    for name, question in questions.items():
        expected = explore.section(question, Answer(question.columns, []))
        stale = f"python -m ml.explore --write docs/exploration.md: {name} is stale"
        assert found[name][:5] == [name, *expected[1:5]], stale
        assert f"| {' | '.join(question.columns)} |" in found[name], stale
