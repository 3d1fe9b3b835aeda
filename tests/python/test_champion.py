"""Champion and challenger: the rule, worked out by hand, and the way back."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator

import duckdb
import numpy as np
import pytest
from warehouses import World

from ml import promote, settings
from ml.challenge import Verdict, judge, weeks_to_judge
from ml.recipes import recipe_from
from ml.warehouse import WarehouseError

WEEKS = [dt.date(2012, 6, 3), dt.date(2012, 6, 10)]
PUBLISHED = (
    "select user_hash, coupon_hash, rank, score, reasons, model_name "
    "from reporting.recommendations order by all"
)
STAGES = (
    "select model_name, stage from ml.model_registry where until is null order by 1"
)


def precision(*differences: float) -> np.ndarray:
    """AP@10 of ten users in two weeks; the challenger's is higher by what is given."""
    champion = np.full((2, 10), 0.25)
    challenger = champion + np.resize(differences, 10)
    return np.stack([champion, challenger], axis=1)


def rows(world: World, query: str) -> list[tuple]:
    with duckdb.connect(str(world.database), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_a_verdict_over_all_weeks_comes_first_then_each_week():
    found = precision(0.125)
    found[1, 1] = 0.25
    verdicts = judge(found, WEEKS)
    assert [verdict.weeks for verdict in verdicts] == [
        tuple(WEEKS),
        (WEEKS[0],),
        (WEEKS[1],),
    ]
    # 0.25 against 0.375 in one week and 0.25 in the other; all users differ alike
    overall = verdicts[0]
    assert (overall.champion, overall.challenger) == (0.25, 0.3125)
    assert (overall.difference, overall.low, overall.high) == (0.0625, 0.0625, 0.0625)
    assert overall.n_users == 10
    assert [verdict.difference for verdict in verdicts[1:]] == [0.125, 0.0]


@pytest.mark.parametrize(
    ("differences", "is_promotion"),
    [
        ((0.01,), True),
        ((0.0,), False),
        ((-0.01,), False),
        # better on average, but one user alone brings it
        ((0.5, *(0.0,) * 9), False),
        # nine of ten gain, one loses as much as one gains: 0.8 of the gain remains
        ((*(0.1,) * 9, -0.1), True),
    ],
)
def test_only_who_is_surely_better_is_promoted(differences, is_promotion):
    assert judge(precision(*differences), WEEKS)[0].is_promotion is is_promotion


def test_one_week_is_too_few_however_good():
    week = judge(precision(0.1), WEEKS)[1]
    assert week.low > 0
    assert not week.is_promotion
    assert Verdict((*WEEKS,), 1, 0.0, 0.1, 0.1, 1e-9, 0.2).is_promotion
    assert not Verdict((*WEEKS,), 1, 0.0, 0.1, 0.1, 0.0, 0.2).is_promotion


def test_the_last_weeks_are_judged_if_weeks_before_them_are_left():
    labelled = [dt.date(2012, 6, 17) - dt.timedelta(days=7 * i) for i in range(4)]
    assert weeks_to_judge(labelled, 2) == [dt.date(2012, 6, 10), dt.date(2012, 6, 17)]
    with pytest.raises(WarehouseError, match="only 2 labelled weeks have 2 before"):
        weeks_to_judge(labelled, 3)


def test_what_is_not_used_is_no_part_of_a_recipe():
    recipe = recipe_from("lightgbm_binary", {})
    # as it was before trees had half-lives: whoever was promoted then is the same still
    assert recipe.recipe_id == "lightgbm_binary-f22961b2"
    assert recipe == recipe_from("lightgbm_binary", {"half_life_weeks": None})
    other = recipe_from("lightgbm_binary", {"half_life_weeks": 8})
    assert other.recipe_id != recipe.recipe_id
    for parameters in (recipe.parameters, other.parameters):
        assert recipe_from("lightgbm_binary", parameters).parameters == parameters


@pytest.fixture(scope="module")
def world(one_run_world, tmp_path_factory) -> World:
    copy = World(
        one_run_world.data_dir, tmp_path_factory.mktemp("champion") / "w.duckdb"
    )
    shutil.copy(one_run_world.database, copy.database)
    return copy


def test_a_training_writes_down_its_champion_and_its_file(world):
    assert rows(world, STAGES) == [("blend", "champion")]
    [(name, path, run_id)] = rows(
        world, "select model_name, model_file, run_id from ml.model_files"
    )
    assert name == "blend"
    assert (settings.PROJECT_DIR / path).is_file()
    assert rows(world, "select distinct run_id from reporting.recommendations") == [
        (run_id,)
    ]


def test_a_comparison_finds_what_training_measured(world):
    world.python("-m", "ml.promote", "--challenger", "popularity")
    measured = rows(
        world,
        "select cutoff_date, model_name, value from ml.model_metrics "
        "where metric = 'map_at_10' and slice = 'all' "
        "and model_name in ('blend', 'popularity') order by model_name",
    )
    week = measured[0][0]
    [(champion, challenger)] = rows(
        world,
        "select champion_map_at_10, challenger_map_at_10 from ml.model_challenges "
        f"where first_judged_cutoff = date '{week}' and n_judged_cutoffs = 1",
    )
    assert [champion, challenger] == pytest.approx([m[2] for m in measured], rel=1e-9)
    [(low, is_promoted)] = rows(
        world,
        "select difference_low, is_promoted from ml.model_challenges "
        "where n_judged_cutoffs = 2",
    )
    assert is_promoted == (low > 0)
    stage = "champion" if is_promoted else "challenger"
    assert ("popularity", stage) in rows(world, STAGES)


@pytest.mark.full
def test_promoted_published_and_rolled_back(world, monkeypatch, capsys):
    before = rows(world, PUBLISHED)
    for name, value in world.environment().items():
        monkeypatch.setenv(name, value)

    def surely_better(warehouse, recipes, labelled, judged, seed):
        n_users = warehouse.rows("select count(*) from core.dim_users")[0][0]
        found = np.zeros((len(judged), 2, n_users))
        found[:, 1] = 0.5
        return found

    monkeypatch.setattr(promote, "precision_by_week", surely_better)
    assert promote.main(["--challenger", "cosine"]) == 0
    assert "cosine-" in capsys.readouterr().out
    assert set(rows(world, STAGES)) >= {("blend", "retired"), ("cosine", "champion")}
    assert rows(world, PUBLISHED) == before

    world.python("-m", "ml.train")
    now = rows(world, PUBLISHED)
    assert {row[-1] for row in now} == {"cosine"}
    # the file of the new champion alone gives the same again
    world.python("-m", "ml.score")
    assert rows(world, PUBLISHED) == now

    world.python("-m", "ml.rollback", "--reason", "test")
    assert rows(world, PUBLISHED) == before
    assert set(rows(world, STAGES)) >= {
        ("blend", "champion"),
        ("cosine", "rolled_back"),
    }
    # there is nothing before it now
    again = world.python("-m", "ml.rollback", check=False)
    assert again.returncode == 1
    assert "no champion came before blend-" in again.stderr
    world.dbt("test", "--select", "model_registry", "model_files", "model_challenges")


def test_a_challenger_that_is_the_champion_is_refused(world):
    done = world.python("-m", "ml.promote", "--challenger", "blend", check=False)
    assert done.returncode == 1
    assert "is the champion itself" in done.stderr
    assert "Traceback" not in done.stderr
    done = world.python("-m", "ml.promote", "--weeks", "1", check=False)
    assert "--weeks: 1 is too few to promote on" in done.stderr


@pytest.fixture
def altered_file(world) -> Iterator[str]:
    """A copy of the published model's file, with a space more, in its place."""
    [(path,)] = rows(
        world,
        "select model_file from ml.model_files where model_name = 'blend'",
    )
    original = settings.PROJECT_DIR / path
    directory = original.parent.with_name(f"{original.parent.name}-altered")
    shutil.copytree(original.parent, directory)
    file = directory / original.name
    file.write_bytes(file.read_bytes() + b" ")
    altered = str(file.relative_to(settings.PROJECT_DIR))
    for table in ("model_files", "model_runs"):
        change(world, table, path, altered)
    yield altered
    for table in ("model_files", "model_runs"):
        change(world, table, altered, path)
    shutil.rmtree(directory)


def change(world: World, table: str, old: str, new: str) -> None:
    with duckdb.connect(str(world.database)) as connection:
        connection.execute(
            f"update ml.{table} set model_file = ? where model_file = ?", [new, old]
        )


def test_an_altered_model_file_is_refused(world, altered_file):
    published = rows(world, PUBLISHED)
    done = world.python("-m", "ml.score", check=False)
    assert done.returncode == 1
    assert f"{altered_file} is not the file that run" in done.stderr
    assert "Traceback" not in done.stderr
    assert rows(world, PUBLISHED) == published
