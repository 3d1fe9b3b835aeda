"""Build warehouses for tests: sample data, files cut at a cutoff, dbt in a process."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from small_models import SMALL

import ml.cut_files
from ml import settings
from ml.chosen import parameters_text
from ml.publish import insert_rows
from ml.warehouse import Warehouse, open_warehouse

DBT = Path(sys.executable).parent / "dbt"


@dataclass(frozen=True)
class World:
    """A data directory with its warehouse."""

    data_dir: Path
    database: Path
    project_dir: Path = settings.PROJECT_DIR

    def environment(self) -> dict[str, str]:
        """Return the environment in which dbt and `ml` use this world."""
        work = self.database.parent / f"{self.database.stem}.work"
        return {
            **os.environ,
            "PONPARE_DATA_DIR": str(self.data_dir.resolve()),
            "PONPARE_DB": str(self.database),
            "PONPARE_CACHE": str(work / "cache"),
            "DBT_TARGET_PATH": str(work / "target"),
            "DBT_LOG_PATH": str(work / "logs"),
            "DBT_PROJECT_DIR": str(self.project_dir),
            "DBT_PROFILES_DIR": str(self.project_dir),
            "DBT_USE_COLORS": "false",
            # test files run side by side: more threads would wait for each other
            "OMP_THREAD_LIMIT": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess:
        """Run a command in this world; an error shows what the command printed."""
        done = subprocess.run(
            list(command),
            cwd=self.project_dir,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{command} failed:\n{done.stdout}\n{done.stderr}")
        return done

    def dbt(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        """Run dbt in this world."""
        return self.run(str(DBT), *arguments, check=check)

    def python(self, *arguments: str, check: bool = True):
        """Run a Python module of the project in this world."""
        return self.run(sys.executable, *arguments, check=check)


def write_sample(directory: Path, users: int, seed: int) -> Path:
    """Write sample data and return the directory."""
    subprocess.run(
        [
            *(sys.executable, "-m", "ml.sample_data", "--users", str(users)),
            *("--seed", str(seed), "--out", str(directory)),
        ],
        cwd=settings.PROJECT_DIR,
        check=True,
        capture_output=True,
    )
    return directory


def build_marts(world: World, *arguments: str) -> World:
    """Build seeds and models, without their tests."""
    world.dbt(
        "build", "--resource-type", "seed", "--resource-type", "model", *arguments
    )
    return world


def use_small_models(world: World) -> World:
    """Write down a choice of settings, as a search does, that training takes."""
    with open_warehouse(world.database) as warehouse:
        write_settings(warehouse, SMALL)
    return world


def write_settings(warehouse: Warehouse, parameters_of: dict[str, dict]) -> None:
    """Write down settings of models, of which the blend is published."""
    shared = {
        "run_id": "search-small",
        "mean_map_at_10": 0.0,
        "first_judged_cutoff": dt.date(2012, 1, 1),
        "last_judged_cutoff": dt.date(2012, 1, 1),
        "data_fingerprint": warehouse.data_fingerprint(),
        "chosen_at": dt.datetime(2012, 1, 8),
    }
    rows = [
        shared
        | {
            "model_name": name,
            "parameters": parameters_text(parameters),
            "is_default": name == "blend",
        }
        for name, parameters in parameters_of.items()
    ]
    with warehouse.transaction():
        insert_rows(warehouse, "model_settings", rows)


def cut_files(source: Path, target: Path, cutoff: dt.date) -> Path:
    """Write the files as they would have been known at the cutoff."""
    span = ml.cut_files.Span(until=cutoff)
    return ml.cut_files.cut_files(source, target, span, target.parent / "cache")


def copy_project(target: Path) -> Path:
    """Copy what dbt reads, so that a test may change it; `ml` stays the real one."""
    target.mkdir(parents=True)
    for name in ("models", "macros", "seeds", "tests", "analyses"):
        shutil.copytree(
            settings.PROJECT_DIR / name,
            target / name,
            ignore=shutil.ignore_patterns("python", "__pycache__"),
        )
    for name in ("dbt_project.yml", "profiles.yml"):
        shutil.copy(settings.PROJECT_DIR / name, target / name)
    (target / "ml").symlink_to(settings.PROJECT_DIR / "ml")
    return target
