"""Which weeks are judged on, which setting wins, which models are blended."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path

import duckdb
import numpy as np
import optuna
import pytest
from build_features import CONTRACT, make_features, make_training_set

from ml import blending, chosen, search
from ml.blending import ScoredWeek
from ml.chosen import ChosenSettings, parameters_text, read_chosen, shipped
from ml.judged import JudgedWeek, selection_weeks, split_weeks
from ml.models import MEMBERS, MODELS, build
from ml.models.popularity import Popularity
from ml.search import Search
from ml.search_space import SEARCH_ONLY, SPACES, Space
from ml.warehouse import Cutoff, Warehouse, WarehouseError, open_warehouse


def sunday(number: int) -> dt.date:
    return dt.date(2012, 1, 1) + dt.timedelta(weeks=number)


def weeks(n: int, selection: set[int], unlabelled: frozenset = frozenset()) -> list:
    """Return cutoffs 0 to n - 1, oldest first."""
    return [
        Cutoff(sunday(i), i not in unlabelled, i in selection, 100) for i in range(n)
    ]


def split(cutoffs: list[Cutoff]) -> tuple[list[int], list[int]]:
    """Return the numbers of the weeks to fit on and to judge on."""
    number = {cutoff.date: i for i, cutoff in enumerate(cutoffs)}
    fitting, validation = split_weeks(cutoffs)
    return [number[day] for day in fitting], [number[day] for day in validation]


def test_the_last_four_weeks_are_judged_on():
    assert split(weeks(10, set(range(10)))) == ([0, 1, 2, 3, 4, 5], [6, 7, 8, 9])


def test_only_selection_weeks_are_used():
    assert split(weeks(10, {0, 1, 2, 3, 4, 5, 6})) == ([0, 1, 2], [3, 4, 5, 6])


def test_unlabelled_weeks_are_never_used():
    assert split(weeks(8, set(range(8)), frozenset({6, 7}))) == ([0, 1], [2, 3, 4, 5])


def test_with_few_weeks_two_are_kept_to_fit_on():
    assert split(weeks(4, set(range(4)))) == ([0, 1], [2, 3])
    assert split(weeks(3, set(range(3)))) == ([0, 1], [2])


def test_reported_weeks_never_stand_in_for_selection_weeks():
    assert split(weeks(6, {0, 1})) == ([0, 1], [])
    assert split(weeks(6, set(), frozenset({5}))) == ([], [])
    with pytest.raises(WarehouseError, match=r"2 labelled weeks .* 3 are needed"):
        selection_weeks(weeks(6, {0, 1}))


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_weeks_leave_none_to_judge_on(n):
    assert split(weeks(n, set(range(n)))) == (list(range(n)), [])


def test_no_week_is_both_fitted_and_judged_on():
    for n in range(12):
        for n_selection in range(n + 1):
            fitting, validation = split(weeks(n, set(range(n_selection))))
            assert not set(fitting) & set(validation)
            assert max(fitting, default=-1) < min(validation, default=n)


# --- the space


def test_every_member_of_a_blend_is_searched():
    assert set(SPACES) == set(MEMBERS)


@pytest.mark.parametrize("name", SPACES)
def test_the_defaults_are_tried_first_and_taken_by_the_model(name):
    space = SPACES[name]
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.enqueue_trial(space.defaults)
    first = study.ask()
    parameters = space(first)
    assert first.params == space.defaults
    # every name in the space is one that the model has, and it takes the value over
    for suggested in (parameters, space(study.ask())):
        taken = build(name, suggested | SEARCH_ONLY, 0).parameters()
        assert taken | suggested | SEARCH_ONLY == taken


def test_parameters_are_written_in_the_order_of_their_names():
    text = parameters_text({"C": 0.1, "A": ("pair",)})
    assert text == '{"A": ["pair"], "C": 0.1}'
    assert json.loads(text) == {"A": ["pair"], "C": 0.1}


# --- trials


class Guess(Popularity):
    """A model that ranks right if its only setting is right."""

    name = "logistic_regression"
    right = 0.3

    def __init__(self, C: float, n: int, fit_probability: bool) -> None:
        self.C, self.n = C, n

    def parameters(self):
        """Return the settings."""
        return {"C": self.C, "n": self.n}

    def predict(self, features):
        """Return the cosine, or its opposite."""
        sign = 1 if self.right == self.C else -1
        return sign * features.column("profile_cosine")


def judged_week(day: dt.date, cosine: list[list[float]], bought: list[int]):
    """Return a week of users 0, 1, ... who each bought one coupon."""
    rows = [{"profile_cosine": value} for of_user in cosine for value in of_user]
    labels = np.zeros((len(bought), len(cosine[0])), dtype=bool)
    labels[np.arange(len(bought)), bought] = True
    features = make_features(CONTRACT, rows)
    return JudgedWeek(day, np.arange(len(bought), dtype=np.int32), features, labels)


def test_the_best_mean_over_the_weeks_meets_what_was_chosen_before(monkeypatch):
    # the first is what was chosen before; the last two are as good as the second, and
    # the very last is the second
    tried = [(0.1, 0), (0.3, 1), (0.5, 2), (0.3, 3), (0.3, 1)]
    fitted = []

    def build_guess(name, parameters, random_state):
        fitted.append((name, parameters))
        return Guess(**parameters)

    monkeypatch.setattr(search, "build", build_guess)

    space = Space(
        lambda trial: dict(zip(("C", "n"), tried[trial.number + 1], strict=True)),
        {},
    )
    monkeypatch.setitem(SPACES, "logistic_regression", space)
    # right order: user 0 finds what was bought first, user 1 second; wrong order:
    # third and second. Four users are registered.
    judged = [
        judged_week(sunday(5), [[0.9, 0.5, 0.1], [0.9, 0.5, 0.1]], [0, 1]),
        judged_week(sunday(6), [[0.9, 0.5, 0.1]], [0]),
    ]
    found = Search([sunday(0)], [sunday(5), sunday(6)], [])
    found.finalists["logistic_regression"] = {1: {"C": 0.1, "n": 0}}
    search._search_model(
        found, "logistic_regression", 4, make_training_set(), judged, 4, 0
    )
    # week 5: (1 + 1/2) / 4, week 6: 1 / 4; wrong: (1/3 + 1/2) / 4 and (1/3) / 4
    values = {
        (t.setting, t.cutoff): (t.parameters["C"], t.map_at_10) for t in found.trials
    }
    assert values == {
        (setting, day): (c, pytest.approx(right if c == 0.3 else wrong))
        for setting, (c, _) in enumerate(tried[:4], start=1)
        for day, right, wrong in (
            (sunday(5), 3 / 8, 5 / 24),
            (sunday(6), 1 / 4, 1 / 12),
        )
    }
    assert found.finalists == {
        "logistic_regression": {1: {"C": 0.1, "n": 0}, 2: {"C": 0.3, "n": 1}}
    }
    # the search needs the order alone, and that setting is not handed on
    assert [parameters["fit_probability"] for _, parameters in fitted] == [False] * 5


def test_without_another_setting_there_is_no_final(monkeypatch):
    monkeypatch.setattr(
        search, "build", lambda name, parameters, _: Guess(**parameters)
    )
    space = Space(lambda trial: {"C": 0.3, "n": 0}, {})
    monkeypatch.setitem(SPACES, "logistic_regression", space)
    judged = [judged_week(sunday(5), [[0.9, 0.5]], [0])]
    found = Search([sunday(0)], [sunday(5)], [])
    found.finalists["logistic_regression"] = {1: {"C": 0.3, "n": 0}}
    search._search_model(
        found, "logistic_regression", 3, make_training_set(), judged, 1, 0
    )
    assert found.finalists == {"logistic_regression": {1: {"C": 0.3, "n": 0}}}
    assert [t.setting for t in found.trials] == [1]


# --- the final


def test_the_better_finalist_is_taken_and_the_first_of_equals():
    labels = np.array([[True, False, False]])
    first, second, third = (
        np.array([row]) for row in ([3, 2, 1], [2, 3, 1], [1, 2, 3])
    )

    def week(number: int, **scores) -> ScoredWeek:
        scores = {name.replace("_", " "): value for name, value in scores.items()}
        seconds = dict.fromkeys(scores, 0.5)
        return ScoredWeek(sunday(number), np.array([7]), labels, scores, seconds)

    # one: 1/2 and 1/2 with the first setting, 1/3 and 1 with the third
    weeks = [
        week(5, one_1=second, one_3=third, two_1=first, two_2=first, three_1=third),
        week(6, one_1=second, one_3=first, two_1=second, two_2=second, three_1=third),
    ]
    found = Search([], [], [sunday(5), sunday(6)])
    found.finalists = {
        "one": {1: {"a": 1}, 3: {"a": 3}},
        "two": {1: {"b": 1}, 2: {"b": 2}},
        "three": {1: {"c": 1}},
    }
    reduced = search._choose_settings(found, weeks, 2)
    assert found.parameters == {"one": {"a": 3}, "two": {"b": 1}, "three": {"c": 1}}
    assert [list(week.scores) for week in reduced] == [["one", "two", "three"]] * 2
    assert reduced[0].scores["one"] is third
    # two users are registered; without a choice there is nothing to record
    assert [
        (t.model_name, t.setting, t.cutoff, t.map_at_10, t.metric) for t in found.trials
    ] == [
        (name, setting, sunday(day), pytest.approx(value), "map_at_10_refitted")
        for name, setting, day, value in (
            *[("one", 1, 5, 1 / 4), ("one", 1, 6, 1 / 4)],
            *[("one", 3, 5, 1 / 6), ("one", 3, 6, 1 / 2)],
            *[("two", 1, 5, 1 / 2), ("two", 1, 6, 1 / 4)],
            *[("two", 2, 5, 1 / 2), ("two", 2, 6, 1 / 4)],
        )
    ]
    assert {t.fit_seconds for t in found.trials} == {0.5}


# --- the choice


def test_a_choice_is_completed_by_defaults_and_the_members_of_the_blend():
    parameters = {
        "neural_network": {"hidden": [4]},
        "blend": {"weights": {"logistic_regression": 0.6, "neural_network": 0.4}},
    }
    found = ChosenSettings.complete(parameters, "blend", "here")
    assert found.parameters == {name: {} for name in MODELS} | {
        "neural_network": {"hidden": [4]},
        "blend": {
            "weights": {"logistic_regression": 0.6, "neural_network": 0.4},
            "parameters_of": {
                "logistic_regression": {},
                "neural_network": {"hidden": [4]},
            },
        },
    }
    assert (found.default_model, found.source) == ("blend", "here")
    # what was handed in stays as it was
    assert list(parameters["blend"]) == ["weights"]


def test_without_weights_the_blend_has_its_own_defaults():
    found = ChosenSettings.complete({}, "blend", "here")
    assert found.parameters == {name: {} for name in MODELS}


def test_the_shipped_settings_build_every_model():
    found = shipped()
    assert found.default_model in MODELS
    assert found.source.startswith("shipped with the project (")
    for name, parameters in found.parameters.items():
        taken = build(name, parameters, 0).parameters()
        assert set(parameters) <= set(taken)
    blend = build("blend", found.parameters["blend"], 0)
    assert sum(blend.weights.values()) == pytest.approx(1)


def test_a_written_choice_reads_like_the_shipped_one(tmp_path, monkeypatch):
    path = tmp_path / "choice.json"
    parameters = {"cosine": {}, "blend": {"weights": {"neural_network": 1.0}}}
    record = {
        "data": "9 users",
        "searched_on": dt.date(2012, 1, 2),
        "settings": {"tried": 3},
    }
    chosen.write_shipped(path, parameters, "cosine", record)
    monkeypatch.setattr(chosen, "SHIPPED_FILE", path)
    found = shipped()
    assert found == ChosenSettings.complete(
        parameters,
        "cosine",
        "shipped with the project (9 users, searched on 2012-01-02)",
        {"tried": 3},
    )


@pytest.fixture
def warehouse(monkeypatch):
    """A warehouse that holds settings and nothing else."""
    monkeypatch.setattr(Warehouse, "data_fingerprint", lambda self: "these")
    with duckdb.connect() as connection:
        connection.execute(
            "create schema ml; create table ml.model_settings (run_id varchar, "
            "model_name varchar, parameters varchar, is_default boolean, "
            "data_fingerprint varchar, chosen_at timestamp)"
        )
        yield Warehouse(connection)


def choose(warehouse: Warehouse, run_id: str, day: int, data: str, C: float) -> None:
    """Write down a search that chose logistic regression."""
    for name, parameters in (("logistic_regression", {"C": C}), ("cosine", {})):
        warehouse.rows(
            "insert into ml.model_settings values (?, ?, ?, ?, ?, ?)",
            [
                *(run_id, name, parameters_text(parameters)),
                *(name != "cosine", data, dt.datetime(2012, 7, day)),
            ],
        )


def test_the_latest_search_on_the_same_files_is_taken(warehouse):
    choose(warehouse, "early", 1, "these", 0.1)
    choose(warehouse, "late", 2, "these", 0.2)
    choose(warehouse, "elsewhere", 3, "others", 0.3)
    found = read_chosen(warehouse)
    assert found.parameters["logistic_regression"] == {"C": 0.2}
    assert found.default_model == "logistic_regression"
    assert found.source == "search late of 2012-07-02 on this data"
    assert found.settings_record == {"from": "search late of 2012-07-02"}
    # what no search touched stays as it is shipped
    assert found.parameters["lightgbm_binary"] != {}
    assert (
        found.parameters["lightgbm_binary"] == shipped().parameters["lightgbm_binary"]
    )


def test_what_a_search_did_not_look_at_stays_as_an_earlier_one_chose_it(warehouse):
    choose(warehouse, "early", 1, "these", 0.1)
    warehouse.rows(
        "insert into ml.model_settings values (?, ?, ?, ?, ?, ?)",
        [
            *("late", "lightgbm_binary", '{"n_trees": 7}'),
            *(True, "these", dt.datetime(2012, 7, 2)),
        ],
    )
    found = read_chosen(warehouse)
    assert found.parameters["logistic_regression"] == {"C": 0.1}
    assert found.parameters["lightgbm_binary"] == {"n_trees": 7}
    assert found.default_model == "lightgbm_binary"
    assert found.source == "search late of 2012-07-02 on this data"


def test_without_a_search_on_these_files_the_shipped_settings_are_taken(warehouse):
    assert read_chosen(warehouse) == shipped()
    choose(warehouse, "elsewhere", 3, "others", 0.3)
    assert read_chosen(warehouse) == shipped()


# --- the command


@pytest.fixture
def searchable(sample_world, tmp_path, monkeypatch) -> Path:
    """A copy of the sample's warehouse, in which a network learns little but fast."""
    database = tmp_path / "searched.duckdb"
    shutil.copy(sample_world.database, database)
    monkeypatch.setenv("PONPARE_DB", str(database))
    monkeypatch.setenv("PONPARE_DATA_DIR", str(sample_world.data_dir))
    space = Space(
        lambda trial: {"hidden": [4 + trial.number], "n_epochs": 1, "n_networks": 1}, {}
    )
    monkeypatch.setitem(SPACES, "neural_network", space)
    # two weeks tell as much as eight of how a week is predicted
    monkeypatch.setattr(blending, "N_BLENDING_WEEKS", 2)
    return database


def test_a_search_publishes_what_training_takes(searchable, tmp_path, monkeypatch):
    page = tmp_path / "choice.json"
    models = ["logistic_regression", "neural_network"]
    with open_warehouse(searchable, read_only=True) as warehouse:
        before = read_chosen(warehouse).parameters
    arguments = ["--models", *models, "--trials", "2", "--write", str(page)]
    assert search.main(arguments) == 0
    with open_warehouse(searchable, read_only=True) as warehouse:
        found = read_chosen(warehouse)
        trials = warehouse.rows(
            "select metric, model_name, count(distinct setting), "
            "count(distinct cutoff_date), "
            "count(*), max(cutoff_date) < '2012-04-15', min(value) > 0 "
            "from ml.hyperparameter_search group by all order by all"
        )
        chosen_rows = warehouse.rows(
            "select model_name, mean_map_at_10 > 0, first_judged_cutoff::varchar, "
            "last_judged_cutoff::varchar from ml.model_settings "
            "where run_id != 'search-small' order by all"
        )
        best = warehouse.rows(
            "select model_name, arg_max(parameters, value) from ("
            "select model_name, parameters, avg(value) as value "
            "from ml.hyperparameter_search where metric = 'map_at_10_refitted' "
            "group by all) group by all"
        )
        tried_first = warehouse.rows(
            "select distinct model_name, parameters from ml.hyperparameter_search "
            "where setting = 1"
        )
    # what was chosen before, the defaults and one proposal
    assert trials == [
        *[("map_at_10", name, 3, 4, 12, True, True) for name in models],
        # the first and the best other one on the weeks that the blend is chosen on
        *[("map_at_10_refitted", name, 2, 2, 4, True, True) for name in models],
    ]
    assert chosen_rows == [
        (name, True, "2012-04-01", "2012-04-08") for name in ("blend", *models)
    ]
    assert {name: json.loads(text) for name, text in tried_first} == {
        name: before[name] for name in models
    }
    assert {name: json.loads(text) for name, text in best} == {
        name: found.parameters[name] for name in models
    }
    assert found.source.startswith("search search-2")
    content = json.loads(page.read_text(encoding="utf-8"))
    assert content["default_model"] == found.default_model
    assert content["record"]["data"].startswith("300 users, files ")
    assert content["record"]["settings"]["tried"] == 6
    assert content["record"]["blend"]["judged_on"] == ["2012-04-01", "2012-04-08"]
    monkeypatch.setattr(chosen, "SHIPPED_FILE", page)
    for name in (*models, "blend"):
        assert shipped().parameters[name] == found.parameters[name]


def test_without_trials_the_settings_stay_and_the_blend_is_chosen(searchable, tmp_path):
    page = tmp_path / "choice.json"
    with open_warehouse(searchable, read_only=True) as warehouse:
        before = read_chosen(warehouse)
    models = ["logistic_regression", "lightgbm_binary"]
    arguments = ["--models", *models, "--trials", "0", "--write", str(page)]
    assert search.main(arguments) == 0
    with open_warehouse(searchable, read_only=True) as warehouse:
        found = read_chosen(warehouse)
        assert warehouse.rows("select * from ml.hyperparameter_search") == []
    assert found.source != before.source
    for name in models:
        assert found.parameters[name] == before.parameters[name]
    assert set(found.parameters["blend"]["weights"]) <= set(models)
    content = json.loads(page.read_text(encoding="utf-8"))
    # where the settings came from is handed on
    assert content["record"]["settings"] == before.settings_record


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--trials", "-1"], "--trials: fewer than no settings cannot be tried."),
        (["--write", "nowhere/x.json"], "--write: nowhere is no directory."),
    ],
)
def test_what_cannot_be_done_is_one_sentence(arguments, message, capsys):
    assert search.main(arguments) == 1
    assert capsys.readouterr().err == f"error: {message}\n"


def test_too_few_weeks_are_one_sentence(monkeypatch):
    cutoffs = weeks(2, {0, 1})
    monkeypatch.setattr(Warehouse, "cutoffs", lambda self: cutoffs)
    with duckdb.connect() as connection, pytest.raises(WarehouseError) as error:
        search.search(Warehouse(connection), ["logistic_regression"], 1)
    assert "2 labelled weeks are there to choose on, at least 3" in str(error.value)
