"""What holds for every input: metrics, rankings, submissions, and small whole worlds.

Hypothesis draws the inputs, the same in every run (profile `fixed` in conftest.py);
`pytest --hypothesis-profile=drawn` draws others and prints how to draw them again.
"""

from __future__ import annotations

import csv
import datetime as dt
import math
import re
from dataclasses import dataclass
from functools import cached_property

import as_of
import duckdb
import numpy as np
import pytest
from generated import CUTOFF, drawn, write_world
from hostile import Files, read_files
from hypothesis import given
from hypothesis import strategies as st
from warehouses import World, build_marts, cut_files, use_small_models

from ml import metrics, submission
from ml.markdown import MOST_CHARACTERS, escaped, printable

#: Few scores, so that many are equal.
TIED = st.sampled_from((0.0, 0.25, 0.5, 0.5, 1.0))
#: Users who buy now and then, more than the ten that count, nothing.
BOUGHT = (st.booleans(), st.sampled_from((True, True, True, False)), st.just(False))


@st.composite
def grids(draw) -> tuple[np.ndarray, np.ndarray]:
    """Draw scores, many of them equal, and labels of a few users and coupons."""
    n_users, n_coupons = draw(st.integers(1, 5)), draw(st.integers(1, 24))
    score = draw(st.sampled_from((TIED, st.floats(0, 1, width=32))))
    shape, size = (n_users, n_coupons), n_users * n_coupons
    scores, labels = (
        draw(st.lists(element, min_size=size, max_size=size))
        for element in (score, draw(st.sampled_from(BOUGHT)))
    )
    return (
        np.array(scores, dtype=np.float32).reshape(shape),
        np.array(labels, dtype=bool).reshape(shape),
    )


def naive_average_precision(ranking: list, bought: set, k: int = 10) -> float:
    """Return AP@k of one user, word by word as the competition defines it."""
    if not bought:
        return 0.0
    total = 0.0
    for position in range(1, min(len(ranking), k) + 1):
        if ranking[position - 1] in bought:
            hits = len([item for item in ranking[:position] if item in bought])
            total += hits / position
    return total / min(len(bought), k)


@given(grids())
def test_map_is_that_of_a_plain_reference_and_within_0_and_1(grid):
    scores, labels = grid
    ranking = metrics.top_k(scores)
    found = metrics.average_precision(ranking, labels)
    expected = [
        naive_average_precision(list(columns), set(np.flatnonzero(bought)))
        for columns, bought in zip(ranking, labels, strict=True)
    ]
    assert found == pytest.approx(expected, abs=1e-12)
    assert ((found >= 0) & (found <= 1)).all()
    # all is won by ranking what is bought first
    best = metrics.average_precision(metrics.top_k(labels.astype(np.float32)), labels)
    assert best == pytest.approx(labels.any(axis=1).astype(float), abs=1e-12)


@given(grids(), st.integers(1, 12))
def test_a_ranking_has_no_duplicates_and_gives_ties_to_the_lower_column(grid, k):
    scores, _ = grid
    ranking = metrics.top_k(scores, k)
    assert ranking.shape == (len(scores), min(k, scores.shape[1]))
    for columns, row in zip(ranking, scores, strict=True):
        order = sorted(range(len(row)), key=lambda column: (-row[column], column))
        assert list(columns) == order[:k]


@given(grids())
def test_shares_and_areas_lie_within_0_and_1(grid):
    scores, labels = grid
    counts = metrics.bootstrap_counts(len(scores), 20, 0)
    recall = metrics.recall(metrics.top_k(scores), labels)
    known = recall[~np.isnan(recall)]
    assert (np.isnan(recall) == ~labels.any(axis=1)).all()
    assert ((known >= 0) & (known <= 1)).all()
    intervals = metrics.ScoreHistogram(scores, labels).intervals(counts)
    hits = np.nan_to_num(recall)
    intervals["recall"] = metrics.ratio_interval(hits, np.ones(len(hits)), counts)
    for name, values in intervals.items():
        assert all(math.isnan(v) or 0 <= v <= 1 + 1e-12 for v in values), name
    assert math.isnan(intervals["auc"][0]) == (labels.all() or not labels.any())


@given(grids())
def test_losses_and_calibration_agree_with_plain_sums(grid):
    scores, labels = grid
    pairs = list(zip(scores.ravel().tolist(), labels.ravel().tolist(), strict=True))
    assert metrics.brier_sums(scores, labels).sum() == pytest.approx(
        sum((score - label) ** 2 for score, label in pairs), abs=1e-5
    )
    assert (metrics.log_loss_sums(scores, labels) >= 0).all()
    bins = metrics.calibration_bins(scores, labels)
    assert sum(n for *_, n in bins) == len(pairs)
    assert sum(share * n for _, share, n in bins) == pytest.approx(labels.sum())
    assert all(0 <= mean <= 1 and 0 <= share <= 1 for mean, share, _ in bins)


@given(grids())
def test_auc_is_the_share_of_pairs_in_the_right_order(grid):
    scores, labels = grid
    positives, negatives = scores[labels].tolist(), scores[~labels].tolist()
    found = metrics.ScoreHistogram(scores, labels).samples(np.empty((0, len(scores))))
    if not positives or not negatives:
        assert math.isnan(found["auc"][0])
        return
    in_order = sum(
        1.0 if positive > negative else 0.5 if positive == negative else 0.0
        for positive in positives
        for negative in negatives
    )
    assert found["auc"][0] == pytest.approx(in_order / len(positives) / len(negatives))


# Whatever staging accepts as an id: no blanks, no line ends, no zero bytes
ids = st.text(
    st.characters(codec="utf-8", exclude_characters=" \n\r\0"), min_size=32, max_size=32
)


@given(st.dictionaries(ids, st.lists(ids, max_size=10, unique=True), max_size=5))
def test_a_submission_comes_back_as_it_was_written(tmp_path_factory, lists):
    path = tmp_path_factory.getbasetemp() / "submission.csv"
    submission.write_lists(
        path, ((user, " ".join(coupons)) for user, coupons in lists.items())
    )
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == submission.HEADER
    assert {user: line.split(" ") if line else [] for user, line in rows} == lists
    assert path.read_bytes().count(b"\n") == len(lists) + 1
    assert b"\r" not in path.read_bytes()


@given(st.text())
def test_shown_text_never_leaves_its_line(text):
    for shown in (escaped(text), printable(text)):
        assert len(shown.splitlines()) <= 1
        assert len(f"{shown}|".splitlines()) == 1
    assert not set(escaped(text)) & set("<>`*|[]\\")
    assert len(printable(text)) <= 10 * MOST_CHARACTERS


# Whole worlds

ALL_WEEKS = ("--vars", "{n_cutoffs: 60}")
#: 0 is the simplest world there is: one user, three coupons, two purchases. The first
#: of the others has no page views, the second has. Another version of Hypothesis may
#: draw other worlds for these numbers.
NUMBERS = (0, 1, 5)
#: Worlds in which some model has nothing to learn from, and says so.
TOO_LITTLE = {0}


@dataclass(frozen=True)
class Drawn:
    """A drawn world with its marts, and the same cut at a cutoff."""

    number: int
    world: World
    cut: World
    tests: str

    @cached_property
    def files(self) -> Files:
        return read_files(self.world.data_dir)

    def rows(self, query: str) -> list[tuple]:
        with duckdb.connect(str(self.world.database), read_only=True) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(scope="module", params=NUMBERS)
def built(request, tmp_path_factory) -> Drawn:
    place = tmp_path_factory.mktemp(f"drawn-{request.param}")
    data_dir = write_world(place / "data", drawn(request.param))
    world = build_marts(World(data_dir, place / "drawn.duckdb"), *ALL_WEEKS)
    done = world.dbt(
        "test", "--exclude-resource-type", "unit_test", *ALL_WEEKS, check=False
    )
    cut = World(cut_files(data_dir, place / "cut", CUTOFF), place / "cut.duckdb")
    return Drawn(request.param, world, build_marts(cut, *ALL_WEEKS), done.stdout)


def moment(row: dict, column: str) -> dt.datetime:
    return dt.datetime.fromisoformat(row[column])


@pytest.mark.full
def test_every_test_of_the_warehouse_holds_in_a_drawn_world(built):
    """Grain, shares, keys: all that the YAML and tests/*.sql say."""
    assert "ERROR=0" in built.tests, built.tests
    assert "WARN=0" in built.tests
    n_passed = int(built.tests.split("PASS=")[1].split(" ")[0])
    assert n_passed > 900


@pytest.mark.full
def test_nothing_of_the_files_is_lost_or_made_up(built):
    assert built.rows(
        "select sum(n_rows_quarantined), sum(n_rows_read) from quarantine.input_files"
    ) == [(0, sum(map(len, built.files.values())))]
    for name, column, table in (
        ("user_list", "USER_ID_hash", "core.dim_users"),
        ("coupon_detail_train", "PURCHASEID_hash", "core.fct_purchases"),
    ):
        ((count,),) = built.rows(f"select count(*) from {table}")
        assert count == len({row[column] for row in built.files[name]})


@pytest.mark.full
def test_features_of_a_drawn_world_do_not_know_what_comes(built):
    found = as_of.differences(
        built.world.database, built.cut.database, CUTOFF, may_be_empty=True
    )
    assert found == {}


@pytest.mark.full
def test_purchases_before_a_cutoff_are_counted_from_the_files_alone(built):
    """An event at midnight of the cutoff belongs to the target week, not to history."""
    listed = {
        row["COUPON_ID_hash"]
        for name in ("coupon_list_train", "coupon_list_test")
        for row in built.files.get(name, [])
    }
    stored = built.rows(
        "select cutoff_date, user_hash, n_user_purchases from features.feature_users "
        "inner join core.dim_users using (user_id)"
    )
    assert stored
    for cutoff, user, count in stored:
        at_cutoff = dt.datetime.combine(cutoff, dt.time())
        assert count == sum(
            row["USER_ID_hash"] == user
            and row["COUPON_ID_hash"] in listed
            and moment(row, "I_DATE") < at_cutoff
            for row in built.files["coupon_detail_train"]
        ), (cutoff, user)


@pytest.mark.full
def test_a_model_of_a_drawn_world_ranks_once_and_is_measured_plainly(built):
    use_small_models(built.world)
    ((cutoff,),) = built.rows(
        "select max(cutoff_date) from features.cutoffs where is_labelled"
    )
    done = built.world.python("-m", "ml.train", "--cutoff", str(cutoff), check=False)
    if built.number in TOO_LITTLE:
        assert done.returncode == 1
        assert re.search(r"^error: .* to learn from", done.stderr, re.MULTILINE)
        assert "Traceback" not in done.stderr
        return
    assert done.returncode == 0, done.stderr
    ranked = ranked_coupons(built, cutoff)
    assert ranked
    assert all(len(set(coupons)) == len(coupons) <= 10 for coupons in ranked.values())
    bought = bought_candidates(built.files, cutoff)
    assert bought
    expected = [
        naive_average_precision(
            ranked.get(user["USER_ID_hash"], []),
            bought.get(user["USER_ID_hash"], set()),
        )
        for user in built.files["user_list"]
    ]
    ((value,),) = built.rows(
        "select value from ml.model_metrics as metrics "
        "inner join ml.model_runs as runs using (run_id, model_name) where "
        "runs.is_default and metrics.metric = 'map_at_10' and metrics.slice = 'all'"
    )
    assert value == pytest.approx(sum(expected) / len(expected), abs=1e-9)
    ((low, high),) = built.rows("select min(score), max(score) from ml.purchase_scores")
    assert 0 <= low <= high <= 1


def ranked_coupons(built: Drawn, cutoff: dt.date) -> dict[str, list[str]]:
    """Return the recommended coupons of each user in their order."""
    ranked: dict[str, list[str]] = {}
    for user, coupon in built.rows(
        "select user_hash, coupon_hash from reporting.recommendations "
        f"where cutoff_date = '{cutoff}' order by user_hash, rank"
    ):
        ranked.setdefault(user, []).append(coupon)
    return ranked


def bought_candidates(files: Files, cutoff: dt.date) -> dict[str, set[str]]:
    """Return what users registered before bought of the week's coupons in it."""
    start = dt.datetime.combine(cutoff, dt.time())
    end = start + dt.timedelta(days=7)
    coupons = {
        row["COUPON_ID_hash"]
        for name in ("coupon_list_train", "coupon_list_test")
        for row in files.get(name, [])
        if start <= moment(row, "DISPFROM") < end
    }
    users = {
        row["USER_ID_hash"]
        for row in files["user_list"]
        if moment(row, "REG_DATE") < start
    }
    bought: dict[str, set[str]] = {}
    for row in files["coupon_detail_train"]:
        if (
            row["USER_ID_hash"] in users
            and row["COUPON_ID_hash"] in coupons
            and start <= moment(row, "I_DATE") < end
        ):
            bought.setdefault(row["USER_ID_hash"], set()).add(row["COUPON_ID_hash"])
    return bought
