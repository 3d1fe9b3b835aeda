"""The oracle: its numbers by hand, and that nothing else opens the truth."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from ml import oracle
from ml.oracle_report import hashes_of
from ml.sample_data.world import Request, generate
from ml.warehouse import Warehouse

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("oracle") / "world"
    generate(Request(300, 11, out))
    return out


@pytest.fixture
def truth() -> oracle.Truth:
    # Three users, three coupons. Ann bought x and z, Bob nothing, Cid y.
    return oracle.Truth(
        user_hash=np.array(["ann", "bob", "cid"]),
        coupon_hash=np.array(["x", "y", "z"]),
        intensity=np.array([[0.9, 0.1, 0.5], [0.1, 0.2, 0.3], [0.4, 0.4, 0.1]]),
        bought=np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]], dtype=bool),
        purchases=pd.DataFrame({"USER_ID_hash": ["ann", "ann", "cid"]}),
    )


def frame(rows: list[tuple[str, str, int]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["user_hash", "coupon_hash", "rank"])


def test_average_precision_by_hand(truth: oracle.Truth) -> None:
    ranked = frame(
        [
            ("ann", "y", 1),
            ("ann", "x", 2),
            ("ann", "z", 3),
            ("bob", "x", 1),
            ("cid", "y", 1),
            ("stranger", "x", 1),
            ("cid", "unknown", 2),
        ]
    )
    precision = truth.average_precision(oracle.ranking_of(truth, ranked))
    # Ann: (1/2 + 2/3) / 2 = 7/12. Bob bought nothing: 0. Cid: 1.
    assert precision == pytest.approx([7 / 12, 0, 1])


def test_report_by_hand(truth: oracle.Truth) -> None:
    # Oracle: Ann x z y -> 1; Cid: x and y tie, x first by hash -> 1/2. Mean 1/2.
    # Model: Cid y first -> 1, Ann nothing -> 0. Mean 1/3, share 2/3, regret 1/6.
    by = pd.Series(["old", "old", "new"], index=["ann", "bob", "cid"])
    ranked = pa.Table.from_pandas(frame([("cid", "y", 1)]))
    table = oracle.report(truth, {"model": ranked}, by).set_index(["model", "slice"])
    assert table.loc[("oracle", "all"), "map_at_10"] == pytest.approx(1 / 2)
    row = table.loc[("model", "all")]
    assert row["map_at_10"] == pytest.approx(1 / 3)
    assert row["share"] == pytest.approx(2 / 3)
    assert row["regret"] == pytest.approx(1 / 6)
    assert table.loc[("model", "new"), "share"] == pytest.approx(2)
    assert table.loc[("model", "old"), "regret"] == pytest.approx(1 / 2)
    assert table.loc[("oracle", "old"), "n_buyers"] == 1


def test_drawn_weeks_follow_the_intensities(truth: oracle.Truth) -> None:
    drawn = [truth.drawn_again(seed).bought for seed in range(4000)]
    # A pair is bought with probability 1 - exp(-intensity): 0.593 for 0.9.
    assert np.mean(drawn, axis=0) == pytest.approx(
        1 - np.exp(-truth.intensity), abs=0.03
    )
    assert (truth.drawn_again(1).bought == drawn[1]).all()


def test_slices_come_in_the_order_of_their_numbers(truth: oracle.Truth) -> None:
    by = pd.Series(["10+ before", "3-9 before", "0 before"], index=truth.user_hash)
    table = oracle.report(truth, {}, by)
    assert list(table["slice"]) == ["all", "0 before", "3-9 before", "10+ before"]


def test_recommendations_need_their_columns(truth: oracle.Truth) -> None:
    with pytest.raises(ValueError, match="rank"):
        oracle.ranking_of(truth, frame([]).drop(columns="rank"))


def test_truth_of_a_sample(sample: Path) -> None:
    truth = oracle.load_truth(sample)
    users = pd.read_csv(sample / "user_list.csv")["USER_ID_hash"]
    coupons = pd.read_csv(sample / "coupon_list_test.csv")["COUPON_ID_hash"]
    assert sorted(truth.user_hash) == sorted(users)
    assert sorted(truth.coupon_hash) == sorted(coupons)
    assert (truth.intensity >= 0).all()
    expected, happened = truth.intensity.sum(), truth.bought.sum()
    assert abs(happened - expected) < 6 * np.sqrt(expected) + 5
    day = truth.purchases["I_DATE"].astype(str).str[:10]
    assert day.between("2012-06-24", "2012-06-30").all()


def test_oracle_beats_what_all_want_and_chance(sample: Path, capsys) -> None:
    truth = oracle.load_truth(sample)
    table = oracle.report(
        truth,
        {
            "popular": oracle.popular_recommendations(truth),
            "random": oracle.random_recommendations(truth),
        },
        oracle.slices(truth, sample),
    )
    best = table[table["slice"] == "all"].set_index("model")["map_at_10"]
    assert best["oracle"] > best["random"]
    assert best["oracle"] > best["popular"]
    members = table[(table["model"] == "oracle") & (table["slice"] != "all")]
    assert members["n_users"].sum() == 300
    assert oracle.main(["--data", str(sample)]) == 0
    assert "most wanted ten" in capsys.readouterr().out


def test_data_without_truth_is_one_sentence(tmp_path: Path, capsys) -> None:
    assert oracle.main(["--data", str(tmp_path)]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_truth_lies_outside_the_sources(sample: Path) -> None:
    inside = [path.name for path in sample.rglob("*")]
    assert not [name for name in inside if "truth" in name or name.endswith(".npz")]
    assert (sample.parent / "world.truth" / "intensity.npz").is_file()
    purchases = pd.read_csv(sample / "coupon_detail_train.csv")
    later = pd.read_csv(sample.parent / "world.truth" / "test_week_purchases.csv")
    assert not set(purchases["PURCHASEID_hash"]) & set(later["PURCHASEID_hash"])


def test_each_id_has_its_own_hash() -> None:
    """Ids are not in the order of hashes; candidates are, or in any other."""
    with duckdb.connect() as connection:
        connection.execute("create schema core")
        connection.execute(
            "create table core.dim_users as select unnest([1, 2, 3, 4]) as user_id, "
            "unnest(['z', 'a', 'm', 'b']) as user_hash"
        )
        warehouse = Warehouse(connection)
        for ids, expected in (([2, 4, 3, 1], "abmz"), ([1, 3], "zm"), ([], "")):
            found = hashes_of(warehouse, "user", np.array(ids, dtype=np.int32))
            assert found.tolist() == list(expected)


def test_only_the_oracle_opens_the_truth() -> None:
    words = re.compile(r"intensity\.npz|test_week_purchases|truth_directory|load_truth")
    may = {"ml/oracle.py", "ml/sample_data/truth.py", "ml/sample_data/world.py"}
    for path in (PROJECT / "ml").rglob("*.py"):
        name = path.relative_to(PROJECT).as_posix()
        text = path.read_text(encoding="utf-8")
        if name in may:
            continue
        # Two reports ask the oracle for figures; they open nothing themselves.
        found = set(words.findall(text))
        asks = name in {"ml/calibrate.py", "ml/oracle_report.py"}
        assert found <= ({"load_truth"} if asks else set()), name


def test_nothing_that_trains_or_scores_imports_the_oracle() -> None:
    line = re.compile(
        r"^\s*(from ml import .*\boracle\b|import ml\.oracle|from ml\.oracle)", re.M
    )
    users = {
        path.relative_to(PROJECT).as_posix()
        for path in (PROJECT / "ml").rglob("*.py")
        if line.search(path.read_text(encoding="utf-8"))
    }
    assert users <= {"ml/calibrate.py", "ml/oracle_report.py"}
