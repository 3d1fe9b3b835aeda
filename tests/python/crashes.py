"""Processes that are killed while they write, and what the warehouse holds after it.

Run as a program it is such a process: it publishes made-up scores or writes a model
file, so that a kill falls into the writing and not into the fitting before it.
"""

from __future__ import annotations

import datetime as dt
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from warehouses import World

from ml import publish, settings
from ml.pairs import read_candidates
from ml.registry import load_model, save_model
from ml.warehouse import Warehouse, open_warehouse

CUTOFF = dt.date(2012, 6, 24)
#: Where a program that publishes kills itself.
POINTS = ("before_commit", "after_commit", "between_tables")


@dataclass(frozen=True)
class State:
    """What readers see of the scores and of the records of runs.

    Attributes
    ----------
    runs
        Runs in the registry.
    scores
        Run, pairs and a checksum of the scores of each cutoff, then of the reasons.
    """

    runs: frozenset[str]
    scores: tuple


@dataclass
class Tally:
    """What became of the kills, by target."""

    counts: Counter = field(default_factory=Counter)

    def __str__(self) -> str:
        return "; ".join(f"{name}: {n}" for name, n in sorted(self.counts.items()))


def state_of(warehouse: Warehouse) -> State:
    """Return the state; raises AssertionError if it is none that a run leaves."""
    runs = {run for (run,) in warehouse.rows("select run_id from ml.model_runs")}
    scores = warehouse.rows(
        "select cutoff_date, run_id, count(*), bit_xor(hash(columns(*))) "
        "from ml.purchase_scores group by all order by all"
    )
    reasons = warehouse.rows(
        "select cutoff_date, run_id, count(*) from ml.score_reasons "
        "group by all order by all"
    )
    assert len({day for day, *_ in scores}) == len(scores), "two runs share a cutoff"
    assert [row[:2] for row in scores] == [row[:2] for row in reasons]
    assert {run for _, run, *_ in scores} <= runs, "scores of a run that is not known"
    for table in ("model_metrics", "model_coefficients", "misses", "model_cards"):
        found = warehouse.rows(f"select distinct run_id from ml.{table}")
        assert {run for (run,) in found} <= runs, f"ml.{table} knows more runs"
    files = warehouse.rows(
        "select distinct model_file from ml.model_runs where model_file is not null"
    )
    for (name,) in files:
        load_model(settings.PROJECT_DIR / name)
    return State(frozenset(runs), (*scores, *reasons))


def read_state(world: World) -> State:
    """Return the state of a world's warehouse."""
    with open_warehouse(world.database, read_only=True) as warehouse:
        return state_of(warehouse)


def killed(
    world: World, command: list[str], after: float | None, **more: str
) -> tuple[bool, str]:
    """Start a command, kill it after some seconds, say whether it was still running.

    Parameters
    ----------
    after
        None for a command that kills itself.
    """
    process = subprocess.Popen(
        command,
        cwd=world.project_dir,
        env=world.environment() | {"PYTHONPATH": os.pathsep.join(sys.path), **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=after)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
    return process.returncode == -signal.SIGKILL, output


def seconds_of(world: World, command: list[str], **more: str) -> float:
    """Return how long a command takes when nobody kills it."""
    started = time.perf_counter()
    was_killed, output = killed(world, command, None, **more)
    assert not was_killed, output
    return time.perf_counter() - started


# --- the program


def made_up_run(warehouse: Warehouse, number: int) -> publish.Run:
    """Return a run with random scores of the latest week."""
    generator = np.random.default_rng(number)
    candidates = read_candidates(warehouse, CUTOFF)
    scores = generator.random(candidates.shape, dtype=np.float32)
    ranks = scores.argsort(axis=1)[:, ::-1].argsort(axis=1).astype(np.int32) + 1
    rows, columns = np.nonzero(ranks <= 10)
    run_id = f"crash-{number}"
    return publish.Run(
        run_id=run_id,
        data_fingerprint=warehouse.data_fingerprint(),
        default_model="popularity",
        candidates=candidates,
        scores=scores,
        ranks=ranks,
        reasons=pa.table(
            {
                "user_id": candidates.user_ids[rows],
                "coupon_id": candidates.coupon_ids[columns],
                "reasons": [f"reason of run {number}"] * len(rows),
            }
        ),
        model_rows=[
            {
                "run_id": run_id,
                "model_name": "popularity",
                "is_default": True,
                "cutoff_date": CUTOFF,
                "parameters": "{}",
                "data_fingerprint": warehouse.data_fingerprint(),
                "code_version": "test",
                "first_training_cutoff": CUTOFF,
                "last_training_cutoff": CUTOFF,
                "n_training_pairs": 1,
                "fit_seconds": 0.0,
                "n_evaluated_pairs": 0,
                "predict_seconds": 0.0,
                "peak_memory_mb": 0.0,
                "started_at": dt.datetime(2012, 6, 24),
            }
        ],
        coefficients=[("popularity", "sales", "all", float(number))],
    )


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_at(point: str) -> None:
    """Make this process kill itself at a critical point."""
    if point == "between_tables":
        add_rows = publish.insert_rows

        def insert_rows(warehouse, table, rows):
            if table == "model_runs":
                _die()
            add_rows(warehouse, table, rows)

        publish.insert_rows = insert_rows
    elif point in {"before_commit", "after_commit"}:
        connection_commit = Warehouse.transaction

        class Connection:
            def __init__(self, real):
                self.real = real

            def __getattr__(self, name):
                return getattr(self.real, name)

            def commit(self):
                if point == "after_commit":
                    self.real.commit()
                _die()

        def transaction(self):
            self.connection = Connection(self.connection)
            return connection_commit(self)

        Warehouse.transaction = transaction
    elif point in {"before_replace", "after_replace"}:
        replace = os.replace

        def die_replacing(source, target):
            if point == "after_replace":
                replace(source, target)
            _die()

        os.replace = die_replacing


def main() -> None:
    """Publish run NUMBER or write a model file, and die at a point if one is named."""
    target, number, point, *rest = sys.argv[1:]
    if target == "publish":
        with open_warehouse() as warehouse:
            run = made_up_run(warehouse, int(number))
            print("ready", flush=True)
            _die_at(point)
            publish.publish(warehouse, run)
    else:
        source, path = map(Path, rest)
        model = load_model(source)
        _die_at(point)
        for _ in range(int(number)):
            save_model(model, path)


def random_moment(generator: random.Random, seconds: float) -> float:
    """Return a moment of an undisturbed run, or shortly after its end."""
    return generator.uniform(0, 1.05 * seconds)


if __name__ == "__main__":
    main()
