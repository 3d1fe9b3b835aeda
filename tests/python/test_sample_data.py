"""The sample world: formats, quirks, repeatability and refusals, on small worlds."""

from __future__ import annotations

import ast
import csv
import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ml.sample_data.__main__ import main
from ml.sample_data.offers import standardised
from ml.sample_data.releases import settle_reissues
from ml.sample_data.sampling import draw_pairs, turns
from ml.sample_data.streams import even_by_group, even_choice, even_levels, quota
from ml.sample_data.world import MARKER, Request, generate

PROJECT = Path(__file__).resolve().parents[2]
HASH = re.compile(r"[0-9a-f]{32}")
HEADERS = {
    "user_list": "REG_DATE,SEX_ID,AGE,WITHDRAW_DATE,PREF_NAME,USER_ID_hash",
    "coupon_detail_train": (
        "ITEM_COUNT,I_DATE,SMALL_AREA_NAME,PURCHASEID_hash,USER_ID_hash,COUPON_ID_hash"
    ),
    "coupon_visit_train": (
        "PURCHASE_FLG,I_DATE,PAGE_SERIAL,REFERRER_hash,VIEW_COUPON_ID_hash,"
        "USER_ID_hash,SESSION_ID_hash,PURCHASEID_hash"
    ),
    "coupon_area_train": "SMALL_AREA_NAME,PREF_NAME,COUPON_ID_hash",
    "coupon_area_test": "SMALL_AREA_NAME,PREF_NAME,COUPON_ID_hash",
    "sample_submission": "USER_ID_hash,PURCHASED_COUPONS",
    "prefecture_locations": "PREF_NAME,PREFECTUAL_OFFICE,LATITUDE,LONGITUDE",
} | dict.fromkeys(
    ("coupon_list_train", "coupon_list_test"),
    "CAPSULE_TEXT,GENRE_NAME,PRICE_RATE,CATALOG_PRICE,DISCOUNT_PRICE,DISPFROM,"
    "DISPEND,DISPPERIOD,VALIDFROM,VALIDEND,VALIDPERIOD,USABLE_DATE_MON,"
    "USABLE_DATE_TUE,USABLE_DATE_WED,USABLE_DATE_THU,USABLE_DATE_FRI,"
    "USABLE_DATE_SAT,USABLE_DATE_SUN,USABLE_DATE_HOLIDAY,"
    "USABLE_DATE_BEFORE_HOLIDAY,large_area_name,ken_name,small_area_name,"
    "COUPON_ID_hash",
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sample") / "world"
    generate(Request(300, 7, out))
    return out


@pytest.fixture(scope="module")
def tables(world: Path) -> dict[str, pd.DataFrame]:
    def read(name: str) -> pd.DataFrame:
        return pd.read_csv(
            world / f"{name}.csv", dtype=str, keep_default_na=False, encoding="utf-8"
        )

    found = {name: read(name) for name in HEADERS if name != "prefecture_locations"}
    found["coupons"] = pd.concat(
        [found["coupon_list_train"], found["coupon_list_test"]], ignore_index=True
    )
    return found


def content(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


# -- formats ---------------------------------------------------------------------


def test_files_are_those_of_the_competition_and_the_marker(world: Path) -> None:
    names = {path.name for path in world.iterdir()}
    assert names == {f"{name}.csv" for name in HEADERS} | {MARKER}


@pytest.mark.parametrize("name", sorted(HEADERS))
def test_header_is_exact_and_nothing_is_quoted(world: Path, name: str) -> None:
    text = (world / f"{name}.csv").read_bytes()
    assert b'"' not in text
    has_mark = text.startswith(b"\xef\xbb\xbf")
    assert has_mark == (name == "prefecture_locations")
    first = text.decode("utf-8-sig").splitlines()[0]
    assert first == HEADERS[name]


def test_values_have_the_competitions_formats(tables) -> None:
    moment = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    users = tables["user_list"]
    assert users["REG_DATE"].str.fullmatch(moment).all()
    assert users["WITHDRAW_DATE"].str.fullmatch(f"NA|{moment}").all()
    assert set(users["SEX_ID"]) == {"m", "f"}
    assert users["AGE"].astype(int).between(15, 80).all()
    assert "NA" not in set(users["PREF_NAME"])
    assert 0.15 < (users["PREF_NAME"] == "").mean() < 0.5
    coupons = tables["coupons"]
    for column in ("VALIDFROM", "VALIDEND"):
        assert coupons[column].str.fullmatch(r"NA|\d{4}-\d\d-\d\d").all()
    visits = tables["coupon_visit_train"]
    assert set(visits["PURCHASE_FLG"]) == {"0", "1"}
    assert (
        (visits["PURCHASEID_hash"] == "NA") == (visits["PURCHASE_FLG"] == "0")
    ).all()
    for name in HEADERS:
        for column in tables.get(name, pd.DataFrame()).filter(like="_hash"):
            values = tables[name][column].unique()
            assert all(HASH.fullmatch(v) for v in values if v != "NA"), (name, column)
    submission = tables["sample_submission"]
    assert set(submission["PURCHASED_COUPONS"]) == {""}
    assert sorted(submission["USER_ID_hash"]) == sorted(users["USER_ID_hash"])


def test_arithmetic_of_the_coupon_list_holds(tables) -> None:
    coupons = tables["coupons"]
    catalog = coupons["CATALOG_PRICE"].astype(int)
    discount = coupons["DISCOUNT_PRICE"].astype(int)
    # Exact in whole numbers: floor(100 * (catalog - discount) / catalog).
    assert (
        coupons["PRICE_RATE"].astype(int) == 100 * (catalog - discount) // catalog
    ).all()
    valid = coupons[coupons["VALIDFROM"] != "NA"]
    days = pd.to_datetime(valid["VALIDEND"]) - pd.to_datetime(valid["VALIDFROM"])
    assert (days.dt.days == valid["VALIDPERIOD"].astype(int)).all()
    assert ((coupons["VALIDFROM"] == "NA") == (coupons["VALIDPERIOD"] == "NA")).all()


def test_references_hold(tables) -> None:
    users = set(tables["user_list"]["USER_ID_hash"])
    coupons = set(tables["coupons"]["COUPON_ID_hash"])
    assert tables["coupons"]["COUPON_ID_hash"].is_unique
    purchases, visits = tables["coupon_detail_train"], tables["coupon_visit_train"]
    assert set(purchases["USER_ID_hash"]) <= users
    assert set(purchases["COUPON_ID_hash"]) <= set(
        tables["coupon_list_train"]["COUPON_ID_hash"]
    )
    assert set(visits["USER_ID_hash"]) <= users
    assert purchases["PURCHASEID_hash"].is_unique
    flagged = visits[visits["PURCHASE_FLG"] == "1"]
    known = purchases.set_index("PURCHASEID_hash")
    met = known.loc[flagged["PURCHASEID_hash"]]
    assert (met["USER_ID_hash"].to_numpy() == flagged["USER_ID_hash"]).all()
    assert (met["COUPON_ID_hash"].to_numpy() == flagged["VIEW_COUPON_ID_hash"]).all()
    for name in ("train", "test"):
        listed = set(tables[f"coupon_list_{name}"]["COUPON_ID_hash"])
        areas = tables[f"coupon_area_{name}"]
        assert set(areas["COUPON_ID_hash"]) <= listed
        assert not areas.duplicated().any()
        assert coupons >= listed


def test_names_come_from_the_seeds(tables) -> None:
    def seed(name: str, column: str) -> set[str]:
        with (PROJECT / "seeds" / f"{name}.csv").open(encoding="utf-8") as file:
            return {row[column] for row in csv.DictReader(file)}

    coupons = tables["coupons"]
    spelling = seed("spelling_variants", "variant_ja")
    assert set(coupons["CAPSULE_TEXT"]) <= seed("capsules", "capsule_ja") | spelling
    assert set(coupons["GENRE_NAME"]) <= seed("genres", "genre_ja")
    assert set(coupons["large_area_name"]) <= seed("large_areas", "large_area_ja")
    prefectures = seed("prefectures", "prefecture_ja")
    assert set(coupons["ken_name"]) <= prefectures
    assert set(tables["user_list"]["PREF_NAME"]) <= prefectures | {""}
    areas = seed("small_areas", "small_area_ja")
    assert set(tables["coupon_detail_train"]["SMALL_AREA_NAME"]) <= areas
    assert set(coupons["small_area_name"]) <= areas


# -- calendar ----------------------------------------------------------------------


def test_calendar(tables) -> None:
    for name in ("coupon_detail_train", "coupon_visit_train"):
        day = tables[name]["I_DATE"].str[:10]
        assert day.min() >= "2011-07-01"
        assert day.max() <= "2012-06-23"
        assert day.max() >= "2012-06-20"
    train, test = tables["coupon_list_train"], tables["coupon_list_test"]
    assert train["DISPFROM"].min() >= "2011-06-27"
    assert train["DISPFROM"].max() < "2012-06-24"
    assert test["DISPFROM"].min() >= "2012-06-24"
    assert test["DISPFROM"].max() < "2012-07-01"


def test_nobody_acts_before_registering_or_after_leaving(tables) -> None:
    users = tables["user_list"].set_index("USER_ID_hash")
    for name in ("coupon_detail_train", "coupon_visit_train"):
        log = tables[name]
        at = log["I_DATE"].to_numpy()
        registered = users.loc[log["USER_ID_hash"], "REG_DATE"].to_numpy()
        assert (at >= registered).mean() > 0.999
        left = users.loc[log["USER_ID_hash"], "WITHDRAW_DATE"].replace("NA", "9999")
        assert (at < left.to_numpy()).all()


def test_purchases_lie_within_the_sale(tables) -> None:
    purchases = tables["coupon_detail_train"].merge(
        tables["coupon_list_train"], on="COUPON_ID_hash"
    )
    assert (purchases["I_DATE"] > purchases["DISPFROM"]).all()
    assert (purchases["I_DATE"] <= purchases["DISPEND"]).all()


# -- quirks ------------------------------------------------------------------------


def test_quirks_of_the_lists(tables) -> None:
    coupons = tables["coupons"]
    usable = coupons.filter(like="USABLE_DATE_")
    null = usable == "NA"
    assert (null.all(axis=1) == null.any(axis=1)).all()
    assert 0.25 < null.all(axis=1).mean() < 0.5
    assert set(np.unique(usable)) == {"0", "1", "2", "NA"}
    with (PROJECT / "seeds" / "spelling_variants.csv").open(encoding="utf-8") as file:
        wrong = next(csv.DictReader(file))["variant_ja"]
    assert (tables["coupon_list_train"]["CAPSULE_TEXT"] == wrong).sum() == 1
    early = tables["coupon_list_train"]["DISPFROM"] < "2011-07-01"
    with_areas = tables["coupon_list_train"]["COUPON_ID_hash"].isin(
        tables["coupon_area_train"]["COUPON_ID_hash"]
    )
    assert (early == ~with_areas).all()
    assert early.any()
    assert (coupons["DISCOUNT_PRICE"] == "0").any()


def test_quirks_of_the_log(tables) -> None:
    visits, purchases = tables["coupon_visit_train"], tables["coupon_detail_train"]
    coupons = tables["coupons"].set_index("COUPON_ID_hash")
    listed = visits["VIEW_COUPON_ID_hash"].isin(coupons.index)
    assert 0.05 < (~listed).mean() < 0.2
    known = visits[listed]
    starts = coupons.loc[known["VIEW_COUPON_ID_hash"], "DISPFROM"].to_numpy()
    assert 0.005 < (known["I_DATE"].to_numpy() < starts).mean() < 0.15
    flagged = purchases["PURCHASEID_hash"].isin(visits["PURCHASEID_hash"])
    assert 0.2 < (~flagged).mean() < 0.45
    ids = visits.loc[visits["PURCHASE_FLG"] == "1", "PURCHASEID_hash"]
    assert 0.02 < (ids.value_counts() > 1).mean() < 0.12
    assert purchases.duplicated(["USER_ID_hash", "COUPON_ID_hash"]).any()


# -- repeatability -----------------------------------------------------------------


def test_same_seed_same_bytes_other_seed_other_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        generate(Request(60, seed, tmp_path / name))
    first, second, third = (content(tmp_path / name) for name in "abc")
    assert first == second
    assert content(tmp_path / "a.truth") == content(tmp_path / "b.truth")
    for name in ("user_list.csv", "coupon_list_train.csv", "coupon_visit_train.csv"):
        assert first[name] != third[name]


def test_bytes_do_not_depend_on_threads_or_hash_seed(tmp_path: Path) -> None:
    for name, threads in (("one", "1"), ("two", "2")):
        environment = os.environ | {
            "OPENBLAS_NUM_THREADS": threads,
            "OMP_NUM_THREADS": threads,
            "PYTHONHASHSEED": threads,
        }
        subprocess.run(
            [
                sys.executable,
                "-m",
                "ml.sample_data",
                "--users",
                "50",
                "--seed",
                "3",
                "--out",
                str(tmp_path / name),
            ],
            check=True,
            env=environment,
            cwd=PROJECT,
            capture_output=True,
        )
    assert content(tmp_path / "one") == content(tmp_path / "two")


@pytest.mark.parametrize("steady", [False, True])
def test_drift_leaves_the_past_alone(tmp_path: Path, steady: bool) -> None:
    generate(Request(300, 4, tmp_path / "plain", steady=steady))
    generate(Request(300, 4, tmp_path / "drift", date(2012, 3, 7), steady))

    def both(file: str, key: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        plain, drift = (
            pd.read_csv(tmp_path / name / f"{file}.csv") for name in ("plain", "drift")
        )
        if key:
            plain = plain.set_index(key)
            return plain, drift.set_index(key).reindex(plain.index)
        return plain, drift

    plain, drift = both("coupon_list_train", "COUPON_ID_hash")
    before = plain["DISPFROM"] < "2012-03-04"
    assert plain[before].equals(drift[before])
    ratio = (drift["CATALOG_PRICE"] / plain["CATALOG_PRICE"])[~before]
    assert ratio.median() == pytest.approx(1.6, abs=0.02)

    plain, drift = both("user_list", "USER_ID_hash")
    before = plain["REG_DATE"] < "2012-03-04"
    assert plain[before].equals(drift[before])
    assert (drift["PREF_NAME"][~before].isna()).mean() > 0.9
    assert (plain["PREF_NAME"][~before].isna()).mean() < 0.8

    for log in ("coupon_detail_train", "coupon_visit_train"):
        plain, drift = both(log, "")
        old = [rows[rows["I_DATE"] < "2012-03-04"] for rows in (plain, drift)]
        new = [rows[rows["I_DATE"] >= "2012-03-04"] for rows in (plain, drift)]
        assert old[0].reset_index(drop=True).equals(old[1].reset_index(drop=True))
        assert not new[0].reset_index(drop=True).equals(new[1].reset_index(drop=True))


def test_weeks_of_a_steady_year_are_alike(tmp_path: Path) -> None:
    generate(Request(400, 4, tmp_path / "steady", steady=True))

    def by_week(file: str, column: str) -> pd.Series:
        moment = pd.to_datetime(pd.read_csv(tmp_path / "steady" / file)[column])
        week = (moment - pd.Timestamp("2011-07-03")).dt.days // 7
        return week.value_counts().sort_index().loc[0:50]

    coupons = by_week("coupon_list_train.csv", "DISPFROM")
    assert coupons.min() >= coupons.max() - 1
    purchases = by_week("coupon_detail_train.csv", "I_DATE")
    # sprees of single users make weeks differ, quarters are level
    quarters = purchases.groupby(purchases.index // 13).mean()
    assert quarters.between(0.85 * quarters.mean(), 1.15 * quarters.mean()).all()
    prices = pd.read_csv(tmp_path / "steady" / "coupon_list_train.csv")
    assert (prices["DISCOUNT_PRICE"] > 0).all()


# -- refusals ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["--users", "0"],
        ["--seed", "-1"],
        ["--drift", "next week"],
        ["--drift", "2015-01-01"],
    ],
)
def test_bad_arguments_give_one_sentence(tmp_path, capsys, arguments) -> None:
    assert main([*arguments, "--out", str(tmp_path / "x")]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert not (tmp_path / "x").exists()


def test_foreign_directory_is_refused_and_untouched(tmp_path, capsys) -> None:
    out = tmp_path / "real"
    out.mkdir()
    (out / "user_list.csv").write_text("real data")
    assert main(["--users", "20", "--out", str(out)]) == 1
    assert "choose another" in capsys.readouterr().err
    assert content(out) == {"user_list.csv": b"real data"}
    (out / "user_list.csv").unlink()
    (out.with_name("real.truth")).mkdir()
    (out.with_name("real.truth") / "notes").write_text("mine")
    assert main(["--users", "20", "--out", str(out)]) == 1


def test_unwritable_place_is_refused(tmp_path, capsys) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    assert main(["--users", "20", "--out", str(blocker / "x")]) == 1
    assert main(["--users", "20", "--out", str(blocker)]) == 1
    assert capsys.readouterr().err.count("\n") == 2


def test_same_sample_is_skipped_other_is_replaced(tmp_path, capsys) -> None:
    out = tmp_path / "x"
    assert main(["--users", "20", "--seed", "1", "--out", str(out)]) == 0
    before = (out / "user_list.csv").stat().st_mtime_ns
    assert main(["--users", "20", "--seed", "1", "--out", str(out)]) == 0
    assert (out / "user_list.csv").stat().st_mtime_ns == before
    assert "already" in capsys.readouterr().out
    assert main(["--users", "21", "--seed", "1", "--out", str(out)]) == 0
    assert len((out / "user_list.csv").read_text().splitlines()) == 22
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x", "x.truth"]


def test_interrupted_run_leaves_the_old_sample(tmp_path, monkeypatch) -> None:
    out = tmp_path / "x"
    generate(Request(20, 1, out))
    before = content(out)

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ml.sample_data.writer.write_coupons", fail)
    with pytest.raises(KeyboardInterrupt):
        generate(Request(30, 2, out))
    assert content(out) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x", "x.truth"]


@pytest.mark.parametrize("n_users", [1, 3])
def test_tiny_worlds_work(tmp_path, n_users: int) -> None:
    generate(Request(n_users, 1, tmp_path / "x"))
    users = pd.read_csv(tmp_path / "x" / "user_list.csv")
    assert len(users) == n_users


# -- parts -------------------------------------------------------------------------


def test_quota_rounds_to_the_total() -> None:
    # 7 x (.5, .3, .2) = 3.5, 2.1, 1.4: floors 3, 2, 1; the largest remainder gets one.
    assert quota(np.array([5, 3, 2]), 7).tolist() == [4, 2, 1]


def test_draw_pairs_takes_different_columns_with_weight() -> None:
    rng = np.random.default_rng(0)
    weights = np.array([[1, 0, 1, 0], [0, 0, 0, 3], [1, 1, 1, 1]], dtype=np.float32)
    row, column = draw_pairs(rng, weights, np.array([2, 1, 4]))
    pairs = sorted(zip(row.tolist(), column.tolist(), strict=True))
    assert pairs == [(0, 0), (0, 2), (1, 3), (2, 0), (2, 1), (2, 2), (2, 3)]


def test_even_levels_leave_no_gap() -> None:
    sizes = np.array([1, 3, 0, 2, 4])
    levels = even_levels(np.random.default_rng(0), sizes)
    assert ((levels >= 0) & (levels <= 1)).all()
    # One number in every tenth of ten equal sizes, wherever the order puts it.
    same = even_levels(np.random.default_rng(1), np.ones(10))
    assert sorted((same * 10).astype(int)) == list(range(10))


def test_even_levels_of_what_counts_nothing_lie_evenly_too() -> None:
    levels = even_levels(np.random.default_rng(2), np.array([0, 3, 0, 0, 1, 0, 0]))
    nothing = levels[[0, 2, 3, 5, 6]]
    assert sorted((nothing * 5).astype(int)) == list(range(5))


def test_even_numbers_within_groups() -> None:
    group = np.array([2, 0, 2, 0, 2, 2, 0])
    levels = even_by_group(np.random.default_rng(0), group)
    # One number in every third of group 0, one in every quarter of group 2.
    assert sorted((levels[group == 0] * 3).astype(int)) == [0, 1, 2]
    assert sorted((levels[group == 2] * 4).astype(int)) == [0, 1, 2, 3]


@pytest.mark.parametrize("seed", range(5))
def test_even_choice_gives_each_group_what_it_expects(seed: int) -> None:
    group = np.repeat([0, 1, 2], [40, 25, 10])
    chance = np.where(group == 0, 0.1, 0.3)
    chosen = even_choice(np.random.default_rng(seed), chance, group)
    # Expected: 4, 7.5 and 3, in all 14.5.
    counts = np.bincount(group[chosen], minlength=3)
    assert (np.abs(counts - [4, 7.5, 3]) < 1).all()
    assert chosen.sum() in (14, 15)


def test_turns_count_earlier_rows_of_a_user() -> None:
    assert turns(np.array([5, 3, 5, 5, 3, 1])).tolist() == [0, 0, 1, 2, 1, 0]


@pytest.mark.parametrize(("wanted", "old"), [(0, 0), (1, 1), (2, 2), (3, 3), (9, 3)])
def test_reissues_of_the_test_list_meet_their_quota(wanted: int, old: int) -> None:
    # Seven train coupons of shops 0 to 3, then three of the test list.
    shop = np.array([0, 1, 0, 2, 2, 3, 1, 2, 4, 5])
    settled = settle_reissues(shop, 7, wanted)
    assert np.isin(settled[7:], settled[:7]).sum() == old
    assert sorted(settled) == sorted(shop)


def test_prices_are_standardised_over_coupons() -> None:
    values, sizes = np.arange(12.0), np.array([1, 2, 3] * 4)
    result = np.repeat(standardised(values, sizes), sizes)
    assert result.mean() == pytest.approx(0)
    assert result.std() == pytest.approx(1)
    assert standardised(values[:3], sizes[:3]).tolist() == [0, 1, 2]


# -- separation --------------------------------------------------------------------


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module}
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_the_world_shares_no_code_with_the_models() -> None:
    allowed = {"ml.settings", "ml.settings.SYNTHETIC_MARKER"}
    for path in (PROJECT / "ml" / "sample_data").glob("*.py"):
        ours = {name for name in imports(path) if name.split(".")[0] == "ml"}
        others = {name for name in ours if not name.startswith("ml.sample_data")}
        assert others <= allowed, path
    for path in (PROJECT / "ml" / "models").glob("*.py"):
        assert not {n for n in imports(path) if n.startswith("ml.sample_data")}, path


def test_modules_import_each_other_in_one_direction() -> None:
    modules = {
        f"ml.sample_data.{path.stem}": path
        for path in (PROJECT / "ml" / "sample_data").glob("*.py")
    }
    left = {name: imports(path) & set(modules) for name, path in modules.items()}
    while left:
        free = [name for name, needed in left.items() if not needed & set(left)]
        assert free, f"modules in a circle, or behind one: {sorted(left)}"
        for name in free:
            del left[name]
