"""Ways to fit a model: which pairs each sees, and what is said of the result."""

from __future__ import annotations

import datetime as dt
import shutil

import duckdb
import numpy as np
import pytest
from build_features import CONTRACT, make_features, make_training_set
from warehouses import World

from ml.comparison import Fit, Outcome, compare, fit_option
from ml.comparison_page import (
    Section,
    best_option,
    enough_data,
    lines_of,
    text,
    with_section,
)
from ml.judged import JudgedWeek
from ml.models import MODELS
from ml.models.blend import Blend
from ml.questions import (
    QUESTIONS,
    Option,
    learning_curve,
    members,
    missing_values,
    users_of_share,
)

DAYS = [dt.date(2012, 3, 4) + dt.timedelta(weeks=i) for i in range(3)]
NAN = (float("nan"),) * 3


def test_shares_of_users_are_nested_and_of_the_right_size():
    users = np.arange(1, 20_001, dtype=np.int32)
    everyone = users_of_share(users, 1.0)
    half, quarter = users_of_share(users, 0.5), users_of_share(users, 0.25)
    assert everyone.all()
    assert half.mean() == pytest.approx(0.5, abs=0.01)
    assert quarter.mean() == pytest.approx(0.25, abs=0.01)
    assert not (quarter & ~half).any()
    # the user decides, not the place among the rows
    assert users_of_share(users[::-1], 0.5).tolist() == half[::-1].tolist()


def test_an_option_sees_its_last_weeks_and_its_users_alone():
    training = make_training_set()
    weeks = np.unique(training.cutoff)
    last_two = Option("weeks", "last 2 weeks", n_weeks=2)
    rows = last_two.rows(training)
    assert np.unique(training.cutoff[rows]).tolist() == weeks[-2:].tolist()
    assert rows.sum() == np.isin(training.cutoff, weeks[-2:]).sum()
    assert last_two.weeks_used(training) == 2
    half = Option("users", "1/2 of the users", user_share=0.5)
    rows = half.rows(training)
    seen, unseen = (np.unique(training.user_id[r]) for r in (rows, ~rows))
    assert not np.isin(seen, unseen).any()
    assert half.weeks_used(training) == len(weeks)
    assert Option("all", "everything").rows(training).all()


def test_a_curve_has_no_more_weeks_than_there_are():
    assert [o.name for o in learning_curve(4, {})] == [
        "all weeks and users",
        *("last 1 week", "last 2 weeks"),
        *("1/8 of the users", "1/4 of the users", "1/2 of the users"),
    ]
    assert [o.n_weeks for o in learning_curve(11, {})][1:5] == [1, 2, 4, 8]


def test_fillings_start_with_the_default_of_the_models_that_need_one():
    first = missing_values(3, {})[0].parameters
    question = QUESTIONS["missing_values"]
    for name in ("logistic_regression", "neural_network"):
        assert question.suits(name)
        assert MODELS[name]().parameters()["missing"] == first["missing"]
    assert not question.suits("lightgbm_ranking")


def test_a_blend_is_compared_without_each_member_and_with_each_other():
    weights = {"logistic_regression": 0.5, "neural_network": 0.5}
    settings = {name: {"max_rows": i} for i, name in enumerate(weights)}
    trees = {"lightgbm_binary": {"n_trees": 7}, "lightgbm_ranking": {"n_trees": 8}}
    blend = {"weights": weights, "parameters_of": settings}
    found = {
        option.name: option.parameters
        for option in members(4, settings | trees | {"blend": blend})
    }
    assert list(found) == [
        *("as chosen", "without logistic_regression", "without neural_network"),
        *("with lightgbm_binary", "with lightgbm_ranking"),
    ]
    assert found["as chosen"] == {}
    alone = {"neural_network": 0.5}
    assert found["without logistic_regression"] == {"weights": alone}
    assert found["with lightgbm_binary"] == {
        "weights": weights | {"lightgbm_binary": 0.5},
        # the settings that were chosen for it, not its defaults
        "parameters_of": settings | {"lightgbm_binary": {"n_trees": 7}},
    }
    # of one member nothing is left
    single = {"weights": {"lightgbm_binary": 1.0}, "parameters_of": {}}
    of_one = members(4, settings | trees | {"blend": single})
    assert not any(option.name.startswith("without") for option in of_one)
    assert QUESTIONS["members"].suits("blend")
    assert not QUESTIONS["members"].suits("lightgbm_binary")


def test_models_keep_their_filling_through_saving():
    training = make_training_set()
    for name in ("logistic_regression", "neural_network"):
        model = MODELS[name](missing="median").fit(training)
        assert not any(" is null" in label for label in model.encoder_.labels_)
        restored = MODELS[name](**model.parameters()).restore(model.state())
        assert restored.missing == "median"
        pairs = training.features.take(slice(None))
        assert restored.predict(pairs).tobytes() == (
            model.predict(training.features).tobytes()
        )


def test_users_are_judged_by_the_mean_over_weeks():
    """Two weeks, users 3, 5 and 9; the one feature ranks the first coupon first."""

    def week(day: dt.date, users: list[int], labels: list[list[bool]]) -> JudgedWeek:
        pairs = [{"expected_buyers": x} for _ in users for x in (2, 1)]
        return JudgedWeek(
            day,
            np.array(users, dtype=np.int32),
            make_features(CONTRACT, pairs),
            np.array(labels),
        )

    weeks = [
        week(DAYS[0], [3, 9], [[True, False], [False, True]]),
        week(DAYS[1], [9], [[True, False]]),
    ]
    fit = fit_option(
        make_training_set(),
        Option("all", "everything"),
        lambda _: MODELS["popularity"](),
        weeks,
        np.array([3, 5, 9]),
        {},
    )
    # user 3: (1 + 0) / 2, user 9: second place and first place, (1/2 + 1) / 2
    assert fit.precision.tolist() == [0.5, 0.0, 0.75]
    assert fit.n_pairs == len(make_training_set())


def test_blends_share_the_members_that_were_fitted_on_the_same_pairs(monkeypatch):
    training = make_training_set()
    settings = {
        "logistic_regression": {"max_iter": 5},
        "lightgbm_binary": {"n_trees": 3},
        "neural_network": {"n_epochs": 1, "n_networks": 1},
    }
    fitted = []
    for name in settings:
        fit = MODELS[name].fit

        def counted(model, pairs, fit=fit):
            fitted.append(model.name)
            return fit(model, pairs)

        monkeypatch.setattr(MODELS[name], "fit", counted)

    def fit_blend(names: list[str], known: dict) -> Fit:
        return fit_option(
            training,
            Option("members", " and ".join(names)),
            lambda _: Blend(
                dict.fromkeys(names, 1.0), {name: settings[name] for name in names}
            ),
            [],
            np.array([3, 5, 9]),
            known,
        )

    known: dict = {}
    first = fit_blend(["logistic_regression", "lightgbm_binary"], known)
    assert fitted == ["logistic_regression", "lightgbm_binary"]
    without = fit_blend(["lightgbm_binary"], known)
    assert len(fitted) == 2
    # what it would have taken alone: the trees' seconds, and next to nothing
    assert 0 < without.seconds < first.seconds
    with_one_more = fit_blend(list(settings), known)
    assert fitted[2:] == ["neural_network"]
    assert with_one_more.seconds > first.seconds
    # other pairs, or other settings, and nothing is shared
    fit_blend(["lightgbm_binary"], {})
    settings["lightgbm_binary"] = {"n_trees": 4}
    fit_blend(["lightgbm_binary"], known)
    assert fitted[3:] == ["lightgbm_binary"] * 2


def fit_of(option: Option, precision: list[float]) -> Fit:
    return Fit(option, 3, 9, 100, 1.0, np.array(precision))


def test_differences_are_to_the_first_and_paired():
    first = fit_of(Option("all", "everything"), [0.1, 0.5, 0.3])
    # every user loses 0.1, so every sample does
    worse = fit_of(Option("weeks", "last 1 week", 1), [0.0, 0.4, 0.2])
    same = fit_of(Option("weeks", "last 2 weeks", 2), [0.1, 0.5, 0.3])
    found = compare([first, worse, same])
    assert found[0].value[0] == pytest.approx(0.3)
    assert found[0].value[1] < 0.3 < found[0].value[2]
    assert np.isnan(found[0].difference).all()
    assert found[1].difference == pytest.approx((-0.1, -0.1, -0.1))
    assert found[1].is_worse
    assert found[2].difference == (0, 0, 0)
    assert not found[2].is_worse
    assert not found[2].is_better


def outcome(option: Option, value: float, difference: tuple = NAN) -> Outcome:
    return Outcome(fit_of(option, [value]), (value, value, value), difference)


WORSE, EQUAL, BETTER = (-0.2, -0.3, -0.1), (-0.01, -0.02, 0.01), (0.2, 0.1, 0.3)


def curve(weeks: list[tuple], users: list[tuple]) -> list[Outcome]:
    """Return the outcomes of as many options, by their differences."""
    return [
        outcome(Option("all", "all weeks and users"), 0.5),
        *(
            outcome(Option("weeks", f"last {2**n}"), 0.5, d)
            for n, d in enumerate(weeks)
        ),
        *(outcome(Option("users", f"1/{8 - n}"), 0.5, d) for n, d in enumerate(users)),
    ]


def test_the_curve_says_whether_it_still_rises():
    assert enough_data("m", curve([WORSE, EQUAL, EQUAL], [WORSE, WORSE])) == (
        "m: weeks: flat from the last 2 on, more brings no clear gain (difference "
        "-0.01000 (-0.02000..+0.01000)); users: still rising, everything is better "
        "than the 1/7 by 0.20000 (0.10000..0.30000)."
    )
    # a part that is not worse by chance does not count if a larger one is
    said = enough_data("m", curve([EQUAL, WORSE, EQUAL], [EQUAL, EQUAL]))
    assert "weeks: flat from the last 4 on" in said
    assert "users: flat from the 1/8 on" in said
    said = enough_data("m", curve([WORSE, BETTER], [EQUAL]))
    assert "; users" in said
    assert (
        "weeks: flat from the last 2 on, more brings no clear gain (difference "
        "+0.20000 (+0.10000..+0.30000)), and the last 2 is clearly better than "
        "everything (+0.20000 (+0.10000..+0.30000)); users"
    ) in said
    assert "weeks: too few to tell" in enough_data("m", curve([], [EQUAL]))


def test_fillings_are_told_apart_only_by_clear_differences():
    options = missing_values(3, {})
    found = [
        outcome(options[0], 0.5),
        outcome(options[1], 0.3, WORSE),
        outcome(options[2], 0.7, BETTER),
        outcome(options[3], 0.49, EQUAL),
    ]
    assert best_option("m", found) == (
        "m: median and indicator is clearly better than mean and indicator, mean is "
        "clearly worse than mean and indicator; the highest MAP@10 has median and "
        "indicator, 0.70000."
    )
    assert best_option("m", [found[0], found[3]]) == (
        "m: none is clearly better than mean and indicator, none is clearly worse than "
        "mean and indicator; the highest MAP@10 has mean and indicator, 0.50000."
    )


def section_of(title: str, difference: tuple) -> Section:
    return Section(
        question="missing_values",
        title=title,
        parameters={"m": "{}"},
        fitting=DAYS[:2],
        judged=DAYS[2:],
        version="0.1.0",
        outcomes={
            "m": [
                outcome(missing_values(3, {})[0], 0.5),
                outcome(missing_values(3, {})[1], 0.4, difference),
            ]
        },
    )


def test_intervals_without_zero_are_marked():
    first, second = lines_of(section_of("x", WORSE).outcomes["m"])
    assert first == (
        *("mean and indicator", "3", "9", "100", "0.50000 (0.50000..0.50000)"),
        *("-", "1"),
    )
    assert second[5] == "-0.20000 (-0.30000..-0.10000) *"
    assert "mean is clearly worse" in text(section_of("x", WORSE))


def test_a_page_has_one_section_per_data_set():
    page = with_section("", section_of("Synthetic sample, 9 users", WORSE))
    page = with_section(page, section_of("Real data, 9 users", EQUAL))
    page = with_section(page, section_of("Synthetic sample, 9 users", BETTER))
    assert page.count("\n## ") == 2
    assert page.count("# What stands in place of a missing value?") == 1
    assert "-0.20000 (" not in page
    assert page == with_section(page, section_of("Synthetic sample, 9 users", BETTER))


@pytest.fixture(scope="module")
def compared(sample_world, tmp_path_factory) -> tuple[World, str]:
    directory = tmp_path_factory.mktemp("compared")
    world = World(sample_world.data_dir, directory / "sample.duckdb")
    shutil.copy(sample_world.database, world.database)
    page = directory / "learning-curve.md"
    models = ("--models", "logistic_regression")
    for question in ("learning_curve", "missing_values"):
        world.python("-m", "ml.compare", "--question", question, *models)
    world.python("-m", "ml.compare", "--question", "members")
    world.python(
        *("-m", "ml.compare", "--question", "learning_curve", *models),
        *("--write", str(page)),
    )
    return world, page.read_text(encoding="utf-8")


def rows(world: World, query: str) -> list[tuple]:
    with duckdb.connect(str(world.database), read_only=True) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.full
def test_a_run_writes_every_option_of_selection_weeks(compared):
    world, page = compared
    found = rows(
        world,
        "select question, aspect, count(*) / count(distinct run_id), "
        "count(difference) / count(distinct run_id), "
        "max(last_judged_cutoff) < '2012-04-15', "
        "max(last_fitting_cutoff) < min(first_judged_cutoff) "
        "from ml.comparisons group by all order by all",
    )
    assert found == [
        ("learning_curve", "all", 1, 0, True, True),
        ("learning_curve", "users", 3, 3, True, True),
        ("learning_curve", "weeks", 4, 4, True, True),
        ("members", "members", 5, 4, True, True),
        ("missing_values", "missing", 4, 3, True, True),
    ]
    assert "## Synthetic sample, 300 users" in page
    assert page.count("\n- logistic_regression: weeks: ") == 1


@pytest.mark.full
def test_the_same_options_have_the_same_results_again(compared):
    world, _ = compared
    assert rows(
        world,
        "select count(distinct run_id), count(distinct value), "
        "count(distinct (option_name, value)), count(distinct option_name) "
        "from ml.comparisons where question = 'learning_curve'",
    ) == [(2, *rows(world, DISTINCT)[0])]


DISTINCT = (
    "select count(distinct value), count(*), count(*) from ml.comparisons "
    "where run_id = (select min(run_id) from ml.comparisons "
    "where question = 'learning_curve')"
)


@pytest.mark.full
def test_more_weeks_and_users_mean_more_pairs(compared):
    world, _ = compared
    for aspect in ("weeks", "users"):
        sizes = rows(
            world,
            "select n_weeks, n_users, n_training_pairs from ml.comparisons "
            f"where aspect in ('all', '{aspect}') and question = 'learning_curve' "
            "group by all order by n_training_pairs",
        )
        assert sizes == sorted(sizes)
        assert len(sizes) == {"weeks": 5, "users": 4}[aspect]


def test_what_cannot_be_done_is_one_sentence(sample_world):
    question = ("-m", "ml.compare", "--question", "missing_values")
    done = sample_world.python(*question, "--write", "nowhere/a.md", check=False)
    assert done.returncode == 1
    assert done.stderr == "error: --write: nowhere is no directory.\n"
    done = sample_world.python(*question, "--models", "lightgbm_ranking", check=False)
    assert done.stderr == "error: --models: lightgbm_ranking knows no 'missing'.\n"
