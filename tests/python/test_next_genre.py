"""The second target: counting models by hand, learning ones on a known answer."""

from __future__ import annotations

import csv
import datetime as dt
import shutil

import duckdb
import numpy as np
import pytest
from build_features import make_contract, make_features
from warehouses import World

from ml import metrics
from ml.evaluate import Metric
from ml.genre_examples import Examples
from ml.genre_metrics import Foreseen, confusion, macro_f1, measure, per_example
from ml.genre_models import MostFrequent, OwnMostFrequent, genre_models
from ml.genre_page import Section, answer, confusion_lines, text, with_section
from ml.next_genre import foresee
from ml.settings import PROJECT_DIR
from ml.warehouse import WarehouseError

CONTRACT = make_contract(
    ("n_food_purchases", "n_spa_purchases", "user_age"),
    {"user_sex": ("female", "male")},
)
DAYS = [dt.date(2012, 3, 4) + dt.timedelta(weeks=i) for i in range(4)]
REFERENCE = OwnMostFrequent.name


def examples_of(rows: list[dict], genres: list[str], days: list[dt.date]) -> Examples:
    return Examples(
        make_features(CONTRACT, rows),
        np.array(genres, dtype=object),
        np.array(days, dtype="datetime64[D]"),
        np.arange(len(rows), dtype=np.int32),
    )


@pytest.fixture
def counted() -> Examples:
    """Three of four bought food; what they bought before differs."""
    rows = [
        {"n_food_purchases": 0, "n_spa_purchases": 0},
        {"n_food_purchases": 1, "n_spa_purchases": 3},
        {"n_food_purchases": 2, "n_spa_purchases": 2},
        {"n_food_purchases": 0, "n_spa_purchases": 0},
    ]
    return examples_of(rows, ["food", "food", "food", "spa"], [DAYS[0]] * 4)


def test_the_most_frequent_genre_is_the_same_for_everybody(counted):
    model = MostFrequent().fit(counted)
    assert model.genres_.tolist() == ["food", "spa"]
    assert model.predict(counted).tolist() == [[0.75, 0.25]] * 4


def test_own_counts_are_smoothed_by_one_average_purchase(counted):
    found = OwnMostFrequent().fit(counted).predict(counted)
    # nothing bought: the average; else (1 + 3/4) / 5 and (2 + 3/4) / 5
    assert found[:, 0] == pytest.approx([0.75, 0.35, 0.55, 0.75])
    assert found.sum(axis=1) == pytest.approx([1, 1, 1, 1])


def test_a_genre_without_a_column_has_its_share_alone(counted):
    genres = ["food", "food", "untranslated", "spa"]
    examples = Examples(
        *(counted.features, np.array(genres, dtype=object)),
        *(counted.cutoff, counted.user_id),
    )
    found = OwnMostFrequent().fit(examples).predict(examples)
    assert found[1] == pytest.approx([1.5 / 5, 3.25 / 5, 0.25 / 5])


def world(n: int = 400, seed: int = 0) -> Examples:
    """Women buy spa, men food, whatever they bought before."""
    generator = np.random.default_rng(seed)
    sexes = generator.choice(["female", "male"], n)
    rows = [
        {
            "n_food_purchases": float(generator.integers(5)),
            "n_spa_purchases": float(generator.integers(5)),
            "user_age": float(generator.integers(20, 70)),
            "user_sex": sex,
        }
        for sex in sexes
    ]
    genres = ["spa" if sex == "female" else "food" for sex in sexes]
    return examples_of(rows, genres, [DAYS[i % 4] for i in range(n)])


def test_learning_models_find_what_counting_cannot():
    found = foresee(world(), DAYS[2:])
    assert found.genres == ["food", "spa"]
    assert len(found.label) == 200
    accuracy = {
        name: per_example(probability, found.label)["accuracy"].mean()
        for name, probability in found.probability.items()
    }
    assert list(accuracy) == [model.name for model in genre_models()]
    assert accuracy["next_genre_logistic_regression"] == 1
    assert accuracy["next_genre_lightgbm"] == 1
    assert accuracy["next_genre_own"] < 0.7
    again = foresee(world(), DAYS[2:])
    for name, probability in found.probability.items():
        assert again.probability[name].tobytes() == probability.tobytes()


def test_each_week_is_foreseen_from_the_weeks_before_it_alone():
    examples = world()
    changed = Examples(
        examples.features,
        np.where(examples.cutoff >= np.datetime64(DAYS[2]), "food", examples.genre),
        examples.cutoff,
        examples.user_id,
    )
    first, second = (foresee(e, [DAYS[2]]) for e in (examples, changed))
    for name, probability in first.probability.items():
        assert second.probability[name].tobytes() == probability.tobytes()
    with pytest.raises(WarehouseError, match="0 come from labelled weeks before it"):
        foresee(examples, [DAYS[0]])


def test_rankings_and_losses_by_hand():
    probability = np.array([[0.5, 0.3, 0.1, 0.1], [0.4, 0.3, 0.2, 0.1], [1, 0, 0, 0]])
    found = per_example(probability, np.array([1, 3, 2]))
    assert found["accuracy"].tolist() == [0, 0, 0]
    # equal probabilities: the genre that comes first in the alphabet
    assert found["top_3_accuracy"].tolist() == [1, 0, 1]
    assert found["log_loss"] == pytest.approx(
        [-np.log(0.3), -np.log(0.1), -np.log(1e-7)]
    )


LABEL, NAMED = np.array([0, 0, 0, 1, 2]), np.array([0, 0, 1, 1, 1])


def test_confusion_counts_bought_by_named():
    assert confusion(LABEL, NAMED, 4).tolist() == [
        [2, 1, 0, 0],
        [0, 1, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 0, 0],
    ]


def test_macro_f1_is_the_mean_over_genres_that_occur():
    user = np.array([0, 1, 2, 3, 4])
    counts = metrics.bootstrap_counts(5, 200, 0)
    value, low, high = macro_f1(LABEL, NAMED, user, counts, 4)
    # 2 * 2 / (3 + 2), 2 * 1 / (1 + 3) and 0; the fourth genre does not occur
    assert value == pytest.approx((4 / 5 + 1 / 2 + 0) / 3)
    assert 0 <= low < value < high <= 1


def foreseen() -> Foreseen:
    """Ten users, one with two weeks; one model is always right, the baseline never."""
    label = np.array([0, 1] * 5 + [0])
    right = np.eye(2)[label] * 0.8 + 0.1
    return Foreseen(
        ["food", "spa"],
        label,
        np.array([*range(10), 0]),
        {"good": right, REFERENCE: right[:, ::-1]},
    )


def by_key(found: list[Metric]) -> dict[tuple, Metric]:
    return {(m.model_name, m.metric, m.slice): m for m in found}


def test_measures_and_paired_differences():
    found = by_key(measure(foreseen(), REFERENCE))
    assert found["good", "accuracy", "all"].value == 1
    assert found[REFERENCE, "accuracy", "all"].value == 0
    assert found["good", "top_3_accuracy", "all"].value == 1
    assert found["good", "macro_f1", "all"].value == pytest.approx(1)
    assert found["good", "log_loss", "all"].value == pytest.approx(-np.log(0.9))
    difference = found["good", "accuracy_difference", f"to_{REFERENCE}"]
    # every example is won, so every bootstrap sample is
    assert (difference.value, difference.low, difference.high) == (1, 1, 1)
    assert (REFERENCE, "accuracy_difference", f"to_{REFERENCE}") not in found
    assert found[REFERENCE, "confusion", "food_as_spa"].value == 6
    assert (REFERENCE, "confusion", "food_as_food") not in found


def section_of(title: str) -> Section:
    return Section(
        title=title,
        judged=DAYS[2:],
        n_fitting_weeks=2,
        n_examples=11,
        genres=["food", "spa"],
        reference=REFERENCE,
        version="0.1.0",
        metrics=measure(foreseen(), REFERENCE),
    )


def test_the_answer_follows_from_the_intervals():
    section = section_of("x")
    assert section.best == "good"
    assert answer(section) == (
        "Against next_genre_own: good is better in accuracy (+1.0000, "
        "+1.0000..+1.0000) and better in log loss (-2.1972, -2.1972..-2.1972)."
    )
    assert confusion_lines(section, REFERENCE) == [
        ("bought", "food", "spa"),
        ("food", "0", "6"),
        ("spa", "5", "0"),
    ]
    assert "11 examples of 2 target weeks" in text(section)


def test_a_page_has_one_section_per_data_set():
    page = with_section("", section_of("Synthetic sample, 9 users"))
    page = with_section(page, section_of("Real data, 9 users"))
    assert page.count("\n## ") == 2
    assert page.count("# The genre of the next purchase") == 1
    assert with_section(page, section_of("Real data, 9 users")) == page


def rows(world: World, query: str) -> list[tuple]:
    with duckdb.connect(str(world.database), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_the_mart_has_columns_for_every_genre_of_the_seed(sample_world):
    with (PROJECT_DIR / "seeds" / "genres.csv").open(encoding="utf-8") as file:
        genres = {row["genre"] for row in csv.DictReader(file)}
    columns = {
        name
        for (name,) in rows(
            sample_world,
            "select column_name from information_schema.columns "
            "where table_name = 'next_genre_examples'",
        )
    }
    assert {c for c in columns if c.startswith("n_") and c.endswith("_purchases")} == {
        "n_user_purchases",
        *(f"n_{genre}_purchases" for genre in genres),
    }
    assert {f"{genre}_purchases_per_offer" for genre in genres} <= columns


def test_who_bought_a_candidate_has_an_example_and_counts_add_up(sample_world):
    lacking = rows(
        sample_world,
        "select distinct cutoff_date, user_id from ml.training_pairs where label "
        "except select cutoff_date, user_id from ml.next_genre_examples",
    )
    assert lacking == []
    sums = " + ".join(
        f"n_{genre}_purchases"
        for (genre,) in rows(sample_world, "select genre from seeds.genres")
    )
    assert rows(
        sample_world,
        f"select count(*) from ml.next_genre_examples where {sums} != n_user_purchases",
    ) == [(0,)]


def test_a_run_measures_selection_weeks_and_is_no_run_of_pairs(sample_world, tmp_path):
    copy = World(sample_world.data_dir, tmp_path / "sample.duckdb")
    shutil.copy(sample_world.database, copy.database)
    page = tmp_path / "next-genre.md"
    done = copy.python("-m", "ml.next_genre", "--write", str(page))
    names = {model.name for model in genre_models()}
    found = rows(
        copy,
        "select distinct model_name, cutoff_date < '2012-04-15' from ml.model_metrics",
    )
    assert set(found) == {(name, True) for name in names}
    assert rows(copy, "select count(*) from ml.model_runs") == [(0,)]
    assert "## Synthetic sample, 300 users" in page.read_text(encoding="utf-8")
    assert all(name in done.stdout for name in names)
    done = copy.python("-m", "ml.next_genre", "--cutoff", "2012-03-05", check=False)
    assert done.stderr.startswith("error: 2012-03-05 is no labelled cutoff in use;")
