"""A machine that lacks memory or room: one sentence, and what was there stays."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys

import duckdb
import pytest
from crashes import CUTOFF, read_state
from warehouses import DBT, World

from ml import cli, machine
from ml.child import run_measured
from ml.settings import PROJECT_DIR
from ml.warehouse import open_warehouse

TRAIN = [sys.executable, "-m", "ml.train"]
BUILD = [str(DBT), "build", "--resource-type", "seed", "--resource-type", "model"]


def limited(n_bytes: int):
    """Return what makes a child unable to write a file beyond so many bytes."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))


def run(
    command: list[str], environment: dict[str, str], max_file_bytes: int | None = None
) -> subprocess.CompletedProcess:
    return subprocess.run(
        command,
        cwd=PROJECT_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limited(max_file_bytes) if max_file_bytes else None,
    )


# --- a verb

VERB = """
import sys
from pathlib import Path
import duckdb
from ml import cli
from ml.files import written_whole

def spill():
    path, limit = sys.argv[2:]
    connection = duckdb.connect(path, config={"memory_limit": limit, "threads": "1"})
    connection.execute(
        "create temp table t as select i, hash(i) as h from range(3_000_000) r(i)"
    )
    connection.sql("select * from t order by h").to_arrow_table()

def write():
    with written_whole(Path(sys.argv[2])) as file:
        file.write("new" * 100_000)

sys.exit(cli.run(locals()[sys.argv[1]]))
"""


def verb(*arguments: str, max_file_bytes: int | None = None):
    return run(
        [sys.executable, "-c", VERB, *arguments],
        os.environ | {"PYTHONPATH": str(PROJECT_DIR), "PONPARE_ML_MEMORY": "12MB"},
        max_file_bytes,
    )


def test_a_query_that_outgrows_the_memory_is_one_sentence(tmp_path):
    done = verb("spill", ":memory:", "12MB")
    assert done.returncode == 1
    assert done.stderr == (
        "error: a query needs more memory than PONPARE_ML_MEMORY allows (12MB): set it "
        "higher, then run the command again; what was published before is unchanged.\n"
    )


def test_a_disk_too_small_to_spill_to_is_one_sentence(tmp_path):
    path = str(tmp_path / "spill.duckdb")
    done = verb("spill", path, "40MB", max_file_bytes=1_000_000)
    assert done.returncode == 1
    assert re.fullmatch(
        r"error: a file cannot be written \(IO Error: .*File too large\): make room on "
        r"the disk, or raise the limit for files, then run the command again; .*\n",
        done.stderr,
    ), done.stderr
    assert verb("spill", path, "40MB").returncode == 0


def test_a_file_that_finds_no_room_leaves_the_old_one(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("old", encoding="utf-8")
    done = verb("write", str(path), max_file_bytes=100_000)
    assert done.returncode == 1
    assert done.stderr.startswith("error: a file cannot be written ([Errno 27]")
    assert done.stderr.count("\n") == 1
    assert path.read_text(encoding="utf-8") == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["page.md"]
    assert verb("write", str(path)).returncode == 0
    assert path.read_text(encoding="utf-8").startswith("new")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (MemoryError(), "the machine has too little memory left"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (duckdb.IOException("IO Error:\n  Disk quota exceeded"), "Disk quota exceeded"),
        (duckdb.FatalException("FATAL: No space left on device"), "No space left"),
    ],
)
def test_what_the_machine_lacks_is_told(error, says, capsys):
    def fail():
        raise error

    assert cli.run(fail) == 1
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    "error",
    [OSError("no such file"), duckdb.BinderException("no column"), ValueError()],
)
def test_other_errors_keep_their_traceback(error):
    def fail():
        raise error

    assert machine.refusal(error) is None
    with pytest.raises(type(error)):
        cli.run(fail)


# --- the real commands


@pytest.fixture
def copied(trained_world, tmp_path) -> World:
    """Give a test a warehouse of its own."""
    database = tmp_path / "copy.duckdb"
    shutil.copy(trained_world.database, database)
    return World(trained_world.data_dir, database)


def scores_of_week(world: World) -> list[tuple]:
    with open_warehouse(world.database, read_only=True) as warehouse:
        return warehouse.rows(
            "select run_id, count(*) from ml.purchase_scores where cutoff_date = ? "
            "group by all",
            [CUTOFF],
        )


#: Bytes that a file may have: not even the model's, and not what publishing adds.
@pytest.mark.full
@pytest.mark.parametrize("max_file_bytes", [4_096, 400_000])
def test_training_that_finds_no_room_publishes_nothing(copied, max_file_bytes):
    before = read_state(copied)
    done = run(TRAIN, copied.environment(), max_file_bytes)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    *_, last = done.stderr.splitlines()
    assert re.match(r" *error: .*File too large.*make room", last), done.stderr
    assert read_state(copied) == before
    assert run(TRAIN, copied.environment()).returncode == 0
    assert len(read_state(copied).runs - before.runs) == 1


@pytest.mark.full
def test_training_without_memory_says_which_setting_to_raise(copied):
    before = read_state(copied)
    done = run(TRAIN, copied.environment() | {"PONPARE_ML_MEMORY": "4MB"})
    assert done.returncode == 1
    assert "PONPARE_ML_MEMORY allows (4MB): set it higher" in done.stderr
    assert "Traceback" not in done.stderr
    assert read_state(copied) == before


@pytest.mark.full
def test_a_build_without_memory_says_which_setting_to_raise(copied):
    done = run(BUILD, copied.environment() | {"PONPARE_MEMORY": "20MB"})
    assert done.returncode == 1
    assert re.search(
        r"Out of Memory Error in \w+: PONPARE_MEMORY allows 20MB: set it higher, then "
        r"run `dbt build` again\. Scores and runs are as they were\.",
        done.stdout,
    ), done.stdout
    done = run(BUILD, copied.environment())
    assert done.returncode == 0
    assert "again" not in done.stdout
    assert run(TRAIN, copied.environment()).returncode == 0


@pytest.mark.full
def test_a_build_that_finds_no_room_goes_on_when_there_is_some(copied):
    before = scores_of_week(copied)
    size = copied.database.stat().st_size
    done = run(BUILD, copied.environment(), max_file_bytes=size + 300_000)
    # 1 if a model failed, 2 if dbt itself could not go on
    assert done.returncode in {1, 2}
    assert re.search(r"copy\.duckdb.*File too large", done.stdout), done.stdout
    done = run(BUILD, copied.environment())
    assert done.returncode == 0, done.stdout
    assert scores_of_week(copied) == before
    assert run(TRAIN, copied.environment()).returncode == 0


@pytest.mark.full
def test_two_at_once_say_who_holds_the_warehouse(copied):
    with duckdb.connect(str(copied.database)):
        training = run(TRAIN, copied.environment())
        building = run(BUILD, copied.environment())
    for done, told in ((training, training.stderr), (building, building.stdout)):
        assert done.returncode in {1, 2}
        assert f"(PID {os.getpid()})" in told, told
    assert "Traceback" not in training.stderr
    assert training.stderr.count("\n") == 1
    assert run(TRAIN, copied.environment()).returncode == 0


def test_the_sentence_on_a_killed_step_names_memory():
    kills_itself = [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
    with pytest.raises(cli.CommandError, match=r"was killed, .* ran out of memory"):
        run_measured("a step", kills_itself)
