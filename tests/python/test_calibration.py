"""The calibration: its targets, its tolerances, and its measures by hand."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

from ml import calibrate, calibration
from ml.sample_data.world import Request, generate


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("calibration") / "world"
    generate(Request(300, 3, out))
    return out


@pytest.fixture(scope="module")
def measures(sample: Path) -> calibration.Measures:
    return calibration.measure(sample)


def target(tolerance: str, real: float = 10.0) -> calibrate.Target:
    return calibrate.Target("group", "name", real, tolerance, "unit", "exact")


@pytest.mark.parametrize(
    ("tolerance", "low", "high"),
    [
        ("5%", 9.5, 10.5),
        ("0.5", 9.5, 10.5),
        ("0", 10, 10),
        ("factor 2", 5, 20),
        ("9..11", 9, 11),
        ("scale", 9.5, 10.5),
        ("loose", 10 / 1.5, 15),
        ("1 step", 9, 11),
    ],
)
def test_tolerances_by_hand(tolerance: str, low: float, high: float) -> None:
    assert target(tolerance).bounds() == pytest.approx((low, high))


def test_totals_scale_with_users() -> None:
    assert target("scale").bounds(0.1) == pytest.approx((0.95, 1.05))


def test_targets_are_readable_and_unique() -> None:
    targets = calibrate.read_targets()
    assert len(targets) > 400
    assert len({(t.group, t.name) for t in targets}) == len(targets)
    for item in targets:
        low, high = item.bounds()
        assert low <= high, item
        assert low - 1e-9 <= item.real <= high + 1e-9, item


def test_every_target_is_measured(measures: calibration.Measures) -> None:
    # A small world lacks some rare cells (a prefecture without users, four repeats).
    absent = [
        (t.group, t.name)
        for t in calibrate.read_targets()
        if (t.group, t.name) not in measures and "needs models" not in t.kind
    ]
    rare = ("buyers: ", "purchases of users: ", "P(buy)", "buyers of the test week")
    rare += ("10 and more", "beauty", "health", "odds of")
    assert [n for _, n in absent if not any(word in n for word in rare)] == []


def test_measures_equal_a_count_by_other_means(
    sample: Path, measures: calibration.Measures
) -> None:
    users = pd.read_csv(sample / "user_list.csv")
    bought = pd.read_csv(sample / "coupon_detail_train.csv")
    visits = pd.read_csv(sample / "coupon_visit_train.csv")
    assert measures["volume", "purchases"] == len(bought)
    assert measures["volume", "visits"] == len(visits)
    assert measures["volume", "first day of the log"] == int(
        min(bought["I_DATE"].min(), visits["I_DATE"].min())[:10].replace("-", "")
    )
    mean = len(bought) / bought["USER_ID_hash"].nunique()
    assert measures["purchases per user", "mean per buyer"] == pytest.approx(mean)
    female = users.set_index("USER_ID_hash").loc[bought["USER_ID_hash"], "SEX_ID"]
    assert measures["genre", "female share of all purchases"] == pytest.approx(
        100 * (female == "f").mean()
    )
    pairs = bought.drop_duplicates(["USER_ID_hash", "COUPON_ID_hash"])
    assert measures["repeat", "purchases that repeat a pair"] == pytest.approx(
        100 * (1 - len(pairs) / len(bought))
    )
    flagged = bought["PURCHASEID_hash"].isin(visits["PURCHASEID_hash"])
    assert measures["views", "purchases with no flagged visit"] == pytest.approx(
        100 * (1 - flagged.mean())
    )


def test_outcomes_shares_and_reports() -> None:
    targets = [
        calibrate.Target("genre", "a", 10, "10%", "%", "exact"),
        calibrate.Target("genre", "b", 10, "10%", "%", "exact"),
        calibrate.Target("rank", "c", 1, "factor 2", "ratio", "exact, needs models"),
        calibrate.Target("views", "d", 5, "1", "%", "exact"),
    ]
    values = {("genre", "a"): 10.9, ("genre", "b"): 11.1, ("volume", "users"): 22873}
    outcomes = calibrate.compare(targets, values)
    # a passes, b misses, c is not measured, d is absent and counts as zero: misses.
    assert [o.passed for o in outcomes] == [True, False, False, False]
    assert outcomes[2].value is None
    assert calibrate.shares(outcomes)["all"] == (1, 3)
    assert calibrate.shares(outcomes)["core: genre"] == (1, 2)
    text = calibrate.text_report(outcomes)
    assert text.count("MISS") == 2
    assert calibrate.text_report(outcomes, misses_only=True).count("\n") == 1
    page = calibrate.markdown(outcomes, 22873)
    assert page.startswith("# ")
    assert "| genre | b | 10 | 11.1 |" in page
    # The target without a value is named with its reason, outside the misses.
    absent = page.split("## Not measured")[1].split("## All targets")[0]
    assert "| rank | c | a property of trained models" in absent
    assert "views" not in absent


def test_command(sample: Path, tmp_path: Path, capsys) -> None:
    page = tmp_path / "calibration.md"
    code = calibrate.main(["--data", str(sample), "--write", str(page)])
    assert code in (0, 2)
    out = capsys.readouterr().out
    assert "core: genre" in out
    assert "300" in out
    assert page.read_text(encoding="utf-8").count("\n| ") > 400
    assert calibrate.main(["--data", str(tmp_path)]) == 1
    assert "user_list.csv" in capsys.readouterr().err


def test_nan_is_a_miss() -> None:
    outcome = calibrate.compare(
        [calibrate.Target("genre", "a", 1, "1", "%", "exact")],
        {("genre", "a"): math.nan},
    )
    assert not outcome[0].passed
