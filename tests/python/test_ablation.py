"""What a group brings, in a world where one group holds all there is to know."""

from __future__ import annotations

import datetime as dt
import shutil

import duckdb
import numpy as np
import pytest
from build_features import CONTRACT
from small_models import small
from warehouses import World

from ml import ablation
from ml.ablation_page import Section, lines_of, text, with_section
from ml.models import MODELS
from ml.neutral import neutralised
from ml.pairs import MISSING_CODE, Features, TrainingSet
from ml.variants import (
    FULL,
    JudgedWeek,
    Outcome,
    Variant,
    compare,
    fit_variants,
    score_variants,
    variants_of,
)
from ml.warehouse import Cutoff, WarehouseError

N_USERS, N_BUYERS, N_COUPONS = 100, 80, 20
DAYS = [dt.date(2012, 3, 4) + dt.timedelta(weeks=i) for i in range(3)]


def week_of(seed: int) -> tuple[Features, np.ndarray]:
    """Every buyer buys the one coupon with cosine 1; all other features are noise."""
    generator = np.random.default_rng(seed)
    shape = (N_BUYERS, N_COUPONS)
    labels = np.zeros(shape, dtype=bool)
    labels[np.arange(N_BUYERS), generator.integers(0, N_COUPONS, N_BUYERS)] = True
    cosine = np.where(labels, 1.0, generator.random(shape) / 2).ravel()
    n = labels.size
    numeric = np.column_stack(
        [
            generator.random(n) * 50,
            cosine,
            generator.integers(15, 80, n),
            generator.normal(size=n),
        ]
    )
    codes = generator.integers(0, 2, (n, 2))
    return (
        Features.of(
            CONTRACT,
            numeric.astype(np.float32),
            codes.astype(np.int16),
            np.zeros((len(numeric), len(CONTRACT.scores)), np.float32),
        ),
        labels,
    )


@pytest.fixture(scope="module")
def training() -> TrainingSet:
    features, labels = week_of(0)
    n = labels.size
    return TrainingSet(
        features,
        labels.ravel(),
        np.ones(n),
        np.full(n, np.datetime64("2012-02-26")),
        np.repeat(np.arange(N_BUYERS, dtype=np.int32), N_COUPONS),
        np.tile(np.arange(N_COUPONS, dtype=np.int32), N_BUYERS),
        # all that was bought had been looked at, and every third of the rest
        labels.ravel() | (np.arange(n) % 3 == 0),
    )


def judge(training: TrainingSet, model_name: str) -> dict[tuple, Outcome]:
    """Return the outcomes of every variant, by kind, group and metric."""
    variants = variants_of(CONTRACT, with_alone=True)
    fitted = fit_variants(training, variants, lambda: small(model_name))
    weeks = []
    for number, day in enumerate(DAYS, start=1):
        features, labels = week_of(number)
        rows, columns = (part.ravel() for part in np.indices(labels.shape))
        # two batches, because the mart comes in batches
        halves = np.array_split(np.arange(labels.size), 2)
        batches = ((rows[h], columns[h], features.take(h)) for h in halves)
        everyone = np.ones(N_BUYERS, dtype=bool)
        # all users but the last bought; the AUC is taken of the first fifty
        weeks.append(
            JudgedWeek(
                day,
                np.arange(N_BUYERS),
                labels,
                score_variants(fitted, batches, labels.shape),
                everyone,
                np.arange(N_BUYERS) < 50,
            )
        )
    outcomes = compare(variants, weeks, N_USERS, np.arange(50))
    return {(o.variant.kind, o.variant.group, o.metric): o for o in outcomes}


def test_the_group_with_all_signal_is_missed_and_noise_is_not(training):
    found = judge(training, "logistic_regression")
    full = found[FULL, "all", "map_at_10"]
    # 80 of 100 users bought, and what they bought stands first
    assert full.value == pytest.approx(0.8)
    assert np.isnan([full.difference, full.low, full.high]).all()
    assert found[FULL, "all", "auc"].value == pytest.approx(1.0, abs=1e-4)

    missed = found["without", "pair", "map_at_10"]
    # at random the one stands at place k of 20: the mean of 1/k over k to 10 is 0.146
    assert missed.value == pytest.approx(0.8 * 0.146, abs=0.03)
    assert missed.difference == pytest.approx(missed.value - 0.8)
    assert missed.low < missed.difference < missed.high < -0.5
    assert found["without", "pair", "auc"].value == pytest.approx(0.5, abs=0.05)
    assert found["without", "pair", "auc"].high < -0.4

    for group in ("coupon", "popularity", "user"):
        for metric in ("map_at_10", "auc"):
            noise = found["without", group, metric]
            assert noise.difference == pytest.approx(0, abs=1e-4)
            assert noise.low <= 1e-4
            assert noise.high >= -1e-4
            assert found["alone", group, metric].high < -0.3
    assert found["alone", "pair", "map_at_10"].difference == pytest.approx(0)
    assert found["alone", "pair", "map_at_10"].n_users == N_USERS
    assert found["alone", "pair", "auc"].n_users == 50


@pytest.mark.parametrize("name", MODELS)
def test_every_model_can_be_ablated_and_leaves_the_pairs_as_they_were(training, name):
    numeric = training.features.numeric.copy()
    codes = training.features.codes.copy()
    found = judge(training, name)
    np.testing.assert_array_equal(training.features.numeric, numeric)
    np.testing.assert_array_equal(training.features.codes, codes)
    assert len(found) == 2 * (1 + 2 * 4)
    assert all(np.isfinite(outcome.value) for outcome in found.values())
    if name == "popularity":
        # it looks at its own feature and at nothing else
        for group in ("coupon", "pair", "user"):
            outcome = found["without", group, "map_at_10"]
            assert (outcome.difference, outcome.low, outcome.high) == (0, 0, 0)


def test_neutral_features_are_null_and_come_back():
    features, _ = week_of(0)
    numeric, codes = features.numeric.copy(), features.codes.copy()
    with neutralised(features, {"profile_cosine", "user_sex"}):
        assert np.isnan(features.column("profile_cosine")).all()
        assert (features.codes[:, 1] == MISSING_CODE).all()
        np.testing.assert_array_equal(
            features.numeric[:, [0, 2, 3]], numeric[:, [0, 2, 3]]
        )
        np.testing.assert_array_equal(features.codes[:, 0], codes[:, 0])
    np.testing.assert_array_equal(features.numeric, numeric)
    np.testing.assert_array_equal(features.codes, codes)
    with pytest.raises(KeyError), neutralised(features, {"noise"}):
        raise KeyError
    np.testing.assert_array_equal(features.numeric, numeric)
    with neutralised(features, set()):
        np.testing.assert_array_equal(features.numeric, numeric)


def test_variants_leave_out_each_group_of_the_contract():
    pair = {"profile_cosine"}
    variants = variants_of(CONTRACT, with_alone=True)
    assert [(v.kind, v.group, v.n_features) for v in variants] == [
        ("full", "all", 6),
        ("without", "coupon", 4),
        ("without", "pair", 5),
        ("without", "popularity", 5),
        ("without", "user", 4),
        ("alone", "coupon", 2),
        ("alone", "pair", 1),
        ("alone", "popularity", 1),
        ("alone", "user", 2),
    ]
    assert variants[2].dropped == pair
    assert variants[6].dropped == set(CONTRACT.names) - pair
    assert variants_of(CONTRACT) == variants[:5]


def test_metrics_by_hand():
    # Three users, two coupons, two weeks. In both weeks user 0 buys coupon 0; user 2
    # buys coupon 1 in the first. The full model puts what was bought first; the other
    # puts coupon 1 first for all.
    full, other = (
        Variant(FULL, "all", frozenset(), 2),
        Variant("without", "a", frozenset(), 1),
    )
    labels = np.array([[1, 0], [0, 0], [0, 1]], dtype=bool)
    good = np.array([[0.9, 0.1], [0.2, 0.1], [0.1, 0.8]], dtype=np.float32)
    bad = np.tile(np.array([0.1, 0.5], dtype=np.float32), (3, 1))
    first = JudgedWeek(
        *(DAYS[0], np.arange(3), labels, [good, bad]),
        is_buyer=np.array([True, False, True]),
        is_sampled=np.array([True, False, False]),
    )
    second = JudgedWeek(
        *(DAYS[1], np.array([0]), labels[:1], [good[:1], bad[:1]]),
        is_buyer=np.array([True]),
        is_sampled=np.array([True]),
    )
    found = {
        (o.variant.kind, o.metric): o
        for o in compare([full, other], [first, second], 3, np.array([0]))
    }
    # full: weeks (1 + 0 + 1) / 3 and 1 / 3, mean 1/2
    assert found[FULL, "map_at_10"].value == pytest.approx(1 / 2)
    # other: user 0 has 1/2 in both weeks, user 2 has 1: (3/2) / 3 and (1/2) / 3
    assert found["without", "map_at_10"].value == pytest.approx(1 / 3)
    assert found["without", "map_at_10"].difference == pytest.approx(-1 / 6)
    # user 0 alone: the purchase above or below the other coupon
    assert found[FULL, "auc"].value == pytest.approx(1)
    assert found["without", "auc"].value == pytest.approx(0)
    # and no bootstrap sample of one user differs
    assert found["without", "auc"].low == found["without", "auc"].high == -1


def test_a_gap_in_the_grid_is_noticed(training):
    fitted = fit_variants(training, variants_of(CONTRACT)[:1], MODELS["popularity"])
    batch = (np.array([0]), np.array([0]), training.features.take(slice(0, 1)))
    with pytest.raises(RuntimeError, match="lacks pairs"):
        score_variants(fitted, [batch], (1, 2))


def cutoffs(n: int, n_selection: int) -> list[Cutoff]:
    return [
        Cutoff(dt.date(2012, 1, 1) + dt.timedelta(weeks=i), True, i < n_selection, 9)
        for i in range(n)
    ]


def test_only_selection_weeks_are_fitted_and_judged_on():
    weeks = cutoffs(12, 7)
    days = [week.date for week in weeks]
    assert ablation.selection_weeks(weeks) == (days[:3], days[3:7])
    # the search would take other weeks here
    with pytest.raises(WarehouseError, match="2 labelled weeks"):
        ablation.selection_weeks(cutoffs(12, 2))


def test_a_sample_of_users_is_spread_evenly():
    assert ablation.spread_sample(5, 10).tolist() == [0, 1, 2, 3, 4]
    assert ablation.spread_sample(101, 3).tolist() == [0, 50, 100]


def section_of(title: str, difference: float) -> Section:
    full, without = (
        Variant(FULL, "all", frozenset(), 4),
        Variant("without", "a", frozenset(), 3),
    )
    nan = float("nan")
    return Section(
        title=title,
        model_name="popularity",
        parameters="{}",
        fitting=DAYS[:2],
        judged=DAYS[2:],
        n_auc_users=50,
        version="0.1.0",
        outcomes=[
            Outcome(full, "map_at_10", 0.5, nan, nan, nan, 9),
            Outcome(full, "auc", 0.9, nan, nan, nan, 9),
            Outcome(without, "map_at_10", 0.4, difference, -0.2, -0.05, 9),
            Outcome(without, "auc", 0.9, 0.0, -0.1, 0.1, 9),
        ],
    )


def test_intervals_without_zero_are_marked():
    full, without = lines_of(section_of("x", -0.1))
    assert full == ("full", "4", "0.50000", "-", "0.9000", "-")
    assert without == (
        *("without a", "3", "0.40000", "-0.10000 (-0.20000..-0.05000) *"),
        *("0.9000", "+0.0000 (-0.1000..+0.1000)"),
    )
    assert "without a" in text(section_of("x", -0.1))


def test_a_page_has_one_section_per_data_set():
    page = with_section("", section_of("Synthetic sample, 9 users", -0.1))
    page = with_section(page, section_of("Real data, 9 users", -0.2))
    page = with_section(page, section_of("Synthetic sample, 9 users", -0.3))
    assert page.count("\n## ") == 2
    assert page.count("# What each group") == 1
    assert "-0.20000 (" in page
    assert "-0.30000 (" in page
    assert "-0.10000 (" not in page
    again = with_section(page, section_of("Synthetic sample, 9 users", -0.3))
    assert again == page


@pytest.fixture(scope="module")
def ablated(sample_world, tmp_path_factory) -> tuple[World, str]:
    directory = tmp_path_factory.mktemp("ablated")
    world = World(sample_world.data_dir, directory / "sample.duckdb")
    shutil.copy(sample_world.database, world.database)
    page = directory / "ablation.md"
    world.python("-m", "ml.ablation", "--alone", "--write", str(page))
    return world, page.read_text(encoding="utf-8")


def rows(world: World, query: str) -> list[tuple]:
    with duckdb.connect(str(world.database), read_only=True) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.full
def test_a_run_writes_every_variant_of_selection_weeks(ablated):
    world, page = ablated
    ((n_groups,),) = rows(
        world,
        "select count(distinct feature_group) from ml.column_roles "
        "where role = 'feature'",
    )
    found = rows(
        world,
        "select variant, metric, count(*), count(value), count(difference), "
        "max(last_judged_cutoff) < '2012-04-15', "
        "max(last_fitting_cutoff) < min(first_judged_cutoff), "
        "count(distinct run_id) from ml.ablation group by all order by all",
    )
    assert found == [
        (variant, metric, n, n, 0 if variant == "full" else n, True, True, 1)
        for variant, n in (("alone", n_groups), ("full", 1), ("without", n_groups))
        for metric in ("auc", "map_at_10")
    ]
    assert "## Synthetic sample, 300 users" in page
    assert page.count("| without ") == n_groups


@pytest.mark.full
def test_the_features_of_groups_add_up(ablated):
    world, _ = ablated
    ((n_features,),) = rows(
        world,
        "select count(*) from ml.column_roles where role = 'feature' "
        "and mart_name = 'scoring_pairs'",
    )
    sums = rows(
        world,
        "select variant, sum(n_features), count(*) from ml.ablation "
        "where metric = 'auc' group by all order by all",
    )
    n_groups = sums[0][2]
    assert sums == [
        ("alone", n_features, n_groups),
        ("full", n_features, 1),
        ("without", n_features * (n_groups - 1), n_groups),
    ]


def test_what_cannot_be_done_is_one_sentence(sample_world, tmp_path):
    done = sample_world.python(
        "-m", "ml.ablation", "--write", "nowhere/a.md", check=False
    )
    assert done.returncode == 1
    assert done.stderr == "error: --write: nowhere is no directory.\n"
    old = World(sample_world.data_dir, tmp_path / "old.duckdb")
    shutil.copy(sample_world.database, old.database)
    with duckdb.connect(str(old.database)) as connection:
        connection.execute("drop table ml.ablation")
    done = old.python("-m", "ml.ablation", check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "error: ml.ablation is not there yet: run `dbt build` first.\n"
    )
