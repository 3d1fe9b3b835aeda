"""After kill -9 at any moment: old or new, never a mix, and the next run succeeds.

`make crash-test` kills more often; CRASH_ROUNDS says how often.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
from pathlib import Path

import crashes
import duckdb
import pytest
from crashes import Tally, killed, random_moment, read_state, seconds_of, state_of
from warehouses import DBT, World

from ml.registry import load_model
from ml.warehouse import WarehouseError, open_warehouse

pytestmark = pytest.mark.full

#: Kills of each of the four kinds; the moments depend on CRASH_SEED alone.
ROUNDS = int(os.environ.get("CRASH_ROUNDS", "1"))
SEED = int(os.environ.get("CRASH_SEED", "1"))
BUILD = [str(DBT), "build", "--resource-type", "seed", "--resource-type", "model"]
TRAIN = [sys.executable, "-m", "ml.train"]
SELF = [sys.executable, crashes.__file__]


@pytest.fixture
def told(capsys):
    """Print what became of the kills of a test."""
    tally = Tally()
    yield tally
    with capsys.disabled():
        print(f"\n  seed {SEED}: {tally}", end=" ")


def marts_of(world: World) -> list[tuple]:
    """Return checksums of what training and scoring read."""
    with open_warehouse(world.database, read_only=True) as warehouse:
        return warehouse.rows(
            "select count(*), bit_xor(hash(columns(*))) from ml.training_pairs"
        ) + warehouse.rows("select cutoff_date, n_coupons from features.cutoffs")


def test_scores_are_of_one_run_whenever_publishing_is_killed(trained_world, told):
    world = trained_world
    generator = random.Random(SEED)
    number = 1
    seconds = seconds_of(world, [*SELF, "publish", str(number), "nowhere"])
    moments = [(point, None) for point in crashes.POINTS]
    moments += [("nowhere", random_moment(generator, seconds)) for _ in range(ROUNDS)]
    for point, moment in moments:
        before = read_state(world)
        number += 1
        was_killed, output = killed(
            world, [*SELF, "publish", str(number), point], moment
        )
        assert was_killed or "Traceback" not in output, output
        # the database is opened for writing, which replays what was not written yet
        with open_warehouse(world.database) as warehouse:
            after = state_of(warehouse)
        if point == "after_commit":
            assert after != before
        if point in {"before_commit", "between_tables"}:
            assert after == before
        is_new = after != before
        if is_new:
            assert after.runs == before.runs | {f"crash-{number}"}
            assert (crashes.CUTOFF, f"crash-{number}") in {
                row[:2] for row in after.scores
            }
        told.counts[
            f"{'killed' if was_killed else 'ended'}, {'new' if is_new else 'old'} state"
        ] += 1
        number += 1
        seconds_of(world, [*SELF, "publish", str(number), "nowhere"])
        assert f"crash-{number}" in read_state(world).runs


def test_a_model_file_is_whole_whenever_writing_is_killed(
    trained_world, told, tmp_path
):
    world = trained_world
    generator = random.Random(SEED)
    with open_warehouse(world.database, read_only=True) as warehouse:
        ((source,),) = warehouse.rows(
            "select model_file from ml.model_runs where model_file is not null limit 1"
        )
    path = tmp_path / "models" / "blend.json"
    write = [*SELF, "model", "20", "nowhere", source, str(path)]
    seconds = seconds_of(world, write)
    whole = path.read_text(encoding="utf-8")
    moments = [(point, None) for point in ("before_replace", "after_replace")]
    moments += [("nowhere", random_moment(generator, seconds)) for _ in range(ROUNDS)]
    for point, moment in moments:
        if generator.random() < 0.5:
            path.unlink(missing_ok=True)
        existed = path.is_file()
        write[4] = point
        was_killed, output = killed(world, write, moment)
        assert was_killed or "Traceback" not in output, output
        if existed or path.is_file():
            # the old file and the new one are the same model
            assert path.read_text(encoding="utf-8") == whole
            load_model(path)
        told.counts["killed" if was_killed else "ended"] += 1
        write[4] = "nowhere"
        seconds_of(world, write)
        assert path.read_text(encoding="utf-8") == whole


def test_training_leaves_the_old_or_the_new_run(trained_world, told):
    world = trained_world
    generator = random.Random(SEED)
    seconds = seconds_of(world, TRAIN)
    for _ in range(ROUNDS):
        before = read_state(world)
        was_killed, output = killed(world, TRAIN, random_moment(generator, seconds))
        assert was_killed or "Traceback" not in output, output
        with open_warehouse(world.database) as warehouse:
            after = state_of(warehouse)
        assert len(after.runs - before.runs) in {0, 1}
        assert before.runs <= after.runs
        assert (after.scores == before.scores) == (after.runs == before.runs)
        told.counts[
            f"{'killed' if was_killed else 'ended'}, "
            f"{'old' if after == before else 'new'} state"
        ] += 1
        seconds_of(world, TRAIN)
        assert len(read_state(world).runs - after.runs) == 1


def test_marts_are_whole_or_refused_whenever_a_build_is_killed(
    trained_world, told, tmp_path
):
    """The files change, the build is killed, and is run again to its end."""
    world = trained_world
    generator = random.Random(SEED)
    copy = tmp_path / "build.duckdb"
    shutil.copy(world.database, copy)
    files = tmp_path / "sample"
    shutil.copytree(world.data_dir, files)
    changing = World(files, copy)
    purchases = (files / "coupon_detail_train.csv").read_text(encoding="utf-8")
    fewer = "\n".join(purchases.splitlines()[:-100]) + "\n"
    variants = {"all": purchases, "fewer": fewer}
    complete = {}
    seconds = 0.0
    for name in ("fewer", "all"):
        put(files, variants[name])
        seconds = seconds_of(changing, BUILD)
        complete[name] = marts_of(changing)
    assert complete["all"] != complete["fewer"]
    was = "all"
    for _ in range(ROUNDS):
        becomes = "fewer" if was == "all" else "all"
        put(files, variants[becomes])
        with duckdb.connect(str(copy), read_only=True) as connection:
            scores = connection.execute(
                "select run_id, count(*) from ml.purchase_scores group by all"
            ).fetchall()
        was_killed, _ = killed(changing, BUILD, random_moment(generator, seconds))
        with open_warehouse(copy, must_be_built=False) as warehouse:
            try:
                warehouse.data_fingerprint()
                found = marts_of_open(warehouse)
                # what is not refused is one of the two states as a whole
                assert found in complete.values()
                kind = "new" if found == complete[becomes] else "old"
            except WarehouseError as error:
                assert "did not finish" in str(error)
                kind = "refused"
            assert sorted(
                warehouse.rows(
                    "select run_id, count(*) from ml.purchase_scores group by all"
                )
            ) == sorted(scores)
        told.counts[f"{'killed' if was_killed else 'ended'}, {kind}"] += 1
        if kind == "refused":
            done = changing.run(*TRAIN, check=False)
            assert done.returncode == 1
            assert "run `dbt build` again" in done.stderr
        assert seconds_of(changing, BUILD) > 0
        assert marts_of(changing) == complete[becomes]
        was = becomes


def put(directory: Path, purchases: str) -> None:
    """Write the file of purchases."""
    path = directory / "coupon_detail_train.csv"
    path.write_text(purchases, encoding="utf-8")


def marts_of_open(warehouse) -> list[tuple]:
    return warehouse.rows(
        "select count(*), bit_xor(hash(columns(*))) from ml.training_pairs"
    ) + warehouse.rows("select cutoff_date, n_coupons from features.cutoffs")
