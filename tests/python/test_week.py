"""The weekly job: what it runs, what it does not repeat, and who may run it."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
import sys

import pytest
from warehouses import World

from ml import cli, week
from ml.child import Cost
from ml.monitor import ALARMED
from ml.registry import FORMAT
from ml.week import LOCKED, Progress, plan_week

LATEST = dt.date(2012, 6, 24)
STEPS = ["build", "publish", "check what was published", "report"]


@pytest.fixture
def world(one_run_world, tmp_path, monkeypatch) -> World:
    """A warehouse with a champion, fitted up to the last labelled week."""
    copy = World(one_run_world.data_dir, tmp_path / "w.duckdb")
    shutil.copy(one_run_world.database, copy.database)
    for name, value in copy.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(week, "code_version", lambda: "1 abc")
    return copy


@pytest.fixture
def ran(monkeypatch) -> list[str]:
    """Names of the steps that were run; a step named in it beforehand fails."""
    started: list[str] = []

    def run(title, command, stdout=None, stderr=None, accepted=(0,)):
        if title == "monitor":
            assert command[-2:] == ["--cutoff", str(LATEST)]
            return Cost(1.0, 100.0, ALARMED if "alarms" in started else 0)
        if f"fail {title}" in started:
            started.remove(f"fail {title}")
            raise cli.CommandError(f"step {title!r} failed; the lines above say why.")
        started.append(title)
        started.extend(part for part in command if part.startswith("ml.train"))
        return Cost(1.0, 100.0)

    monkeypatch.setattr(week, "run_measured", run)
    return started


def test_steps_run_in_order_and_are_not_repeated(world, ran, capsys):
    assert week.main([]) == 0
    assert ran == STEPS
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" ", 1)[1].split(":")[0] for line in lines[1:]] == [
        *("build", "model", *STEPS[1:], "done")
    ]
    assert "reuse run 20120624-" in lines[2]
    ran.clear()
    assert week.main([]) == 0
    assert ran == []
    assert capsys.readouterr().out.count("finished before") == len(STEPS)
    assert week.main(["--again"]) == 0
    assert ran == STEPS


def test_alarms_have_an_exit_code_of_their_own_every_time(world, ran):
    ran.append("alarms")
    assert week.main([]) == ALARMED == 3
    # they ring again although everything is finished
    assert week.main([]) == ALARMED


def test_a_job_that_broke_off_goes_on_where_it_stood(world, ran, capsys):
    ran.append("fail check what was published")
    assert week.main([]) == 1
    assert ran == STEPS[:2]
    error = capsys.readouterr().err
    assert error.startswith("error: step 'check what was published' failed; ")
    assert "logs/week-w.log says why" in error
    assert week.main([]) == 0
    assert ran == STEPS


@pytest.mark.parametrize(
    "change", ["cutoff", "refit_after", "code_version", "user_list"]
)
def test_what_was_finished_for_something_else_does_not_count(tmp_path, change):
    path = tmp_path / "w.week.json"
    key = {"cutoff": "a", "refit_after": "4", "code_version": "1", "user_list": "f"}
    Progress(path, key, again=False).finish("build")
    assert list(Progress(path, dict(key), again=False).done) == ["build"]
    assert Progress(path, key | {change: "other"}, again=False).done == {}
    assert Progress(path, key, again=True).done == {}


def test_changes_without_a_name_are_never_taken_for_finished(world, ran, monkeypatch):
    monkeypatch.setattr(week, "code_version", lambda: "1 abc-dirty")
    assert week.main([]) == week.main([]) == 0
    assert ran == STEPS * 2


def test_a_model_is_reused_until_enough_weeks_have_come(world):
    # it was fitted on all labelled weeks before the latest cutoff
    plan = plan_week(LATEST, 1)
    assert plan.reused.startswith("20120624-")
    assert "0 labelled weeks since its last one, 2012-06-17" in plan.reason
    with week.open_warehouse(world.database) as warehouse:
        warehouse.rows(
            "update ml.model_files set last_training_cutoff = date '2012-06-03'"
        )
    # now two weeks have come that it has not learned from
    assert plan_week(LATEST, 3).reused == plan.reused
    assert plan_week(LATEST, 2).reused is None
    # the week before the latest follows one of them
    assert plan_week(dt.date(2012, 6, 17), 2).reused == plan.reused
    earlier = plan_week(dt.date(2012, 6, 3), 2)
    assert earlier.reused is None
    assert "no fit of blend-" in earlier.reason


def test_a_model_file_of_another_version_is_fitted_anew(world, monkeypatch):
    assert plan_week(None, refit_after=4).reused is not None
    monkeypatch.setattr(week, "format_of", lambda path: FORMAT - 1)
    plan = plan_week(None, refit_after=4)
    assert plan.reused is None
    assert plan.reason.endswith("blend.json is of another version of the project")
    # what cannot be read at all is for the scoring to refuse
    monkeypatch.setattr(week, "format_of", lambda path: None)
    assert plan_week(None, refit_after=4).reused is not None


def test_without_a_champion_a_model_is_fitted(world, ran):
    with week.open_warehouse(world.database) as warehouse:
        warehouse.rows("delete from ml.model_registry")
    assert plan_week(None, 4).reused is None
    assert week.main([]) == 0
    assert ran == ["build", "publish", "ml.train", *STEPS[2:]]


def test_two_at_once_are_kept_apart(world, ran, capsys):
    lock = world.database.with_suffix(".week.lock")
    held = (
        "import sys, time, pathlib; from ml.week import _locked\n"
        "with _locked(pathlib.Path(sys.argv[1])): print('held', flush=True); "
        "time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", held, str(lock)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        assert week.main([]) == LOCKED
        error = capsys.readouterr().err
        assert f"process {holder.pid}, is at work on this warehouse" in error
        holder.kill()
    assert ran == []
    # the lock ended with the process that was killed
    assert week.main([]) == 0


@pytest.mark.parametrize("arguments", [["--refit-after", "0"], ["--cutoff", "June"]])
def test_a_wrong_command_line_is_told_apart(arguments):
    with pytest.raises(SystemExit) as ended:
        week.main(arguments)
    assert ended.value.code == 2


def test_missing_files_stop_it_before_the_first_step(world, ran, monkeypatch, capsys):
    monkeypatch.setenv("PONPARE_DATA_DIR", "nowhere")
    assert week.main([]) == 1
    assert "nowhere is not a directory" in capsys.readouterr().err
    assert ran == []


@pytest.mark.full
def test_the_whole_job_publishes_without_fitting(one_run_world, tmp_path):
    world = World(one_run_world.data_dir, tmp_path / "w.duckdb")
    shutil.copy(one_run_world.database, world.database)
    done = world.python("-m", "ml.week", "--cutoff", str(LATEST), check=False)
    lines = [line.split(" ", 1)[-1].split(":")[0] for line in done.stdout.splitlines()]
    assert lines[1:8] == ["build", "model", *STEPS[1:], "done", lines[7]]
    # the last word has the monitoring
    alarmed = f"alarms at {LATEST} (reporting.alarms)" in done.stdout
    assert alarmed != (f"no alarms at {LATEST}" in done.stdout)
    assert done.returncode == (ALARMED if alarmed else 0)
    with week.open_warehouse(world.database, read_only=True) as warehouse:
        runs = warehouse.rows(
            "select count(*), count(distinct model_file) from ml.model_runs "
            "where is_default"
        )
        shown = warehouse.rows(
            "select count(distinct run_id), count(*) > 1000 "
            "from reporting.recommendations"
        )
    assert runs == [(2, 1)]
    assert shown == [(1, True)]
