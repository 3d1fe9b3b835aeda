"""Build warehouses for tests: sample data, files cut at a cutoff, dbt in a process."""

from __future__ import annotations

import csv
import datetime as dt
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from small_models import SMALL

from ml import settings
from ml.chosen import parameters_text
from ml.publish import insert_rows
from ml.warehouse import Warehouse, open_warehouse

DBT = Path(sys.executable).parent / "dbt"
COUPON_FILES = ("coupon_list_train", "coupon_list_test")
AREA_FILES = ("coupon_area_train", "coupon_area_test")


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
    """Write the files as they would have been known at the cutoff.

    Left out: purchases and visits at or after the cutoff, users registered and coupons
    released for sale after the target week, and those coupons' areas. A withdrawal at
    or after the cutoff is not known yet.
    """
    target.mkdir(parents=True)
    at_cutoff = f"{cutoff} 00:00:00"
    week_end = f"{cutoff + dt.timedelta(days=7)} 00:00:00"
    for name in ("coupon_detail_train", "coupon_visit_train"):
        _filter(source, target, name, lambda row: row["I_DATE"] < at_cutoff)
    _filter(
        source,
        target,
        "user_list",
        lambda row: row["REG_DATE"] < week_end,
        lambda row: (
            {**row, "WITHDRAW_DATE": "NA"} if row["WITHDRAW_DATE"] >= at_cutoff else row
        ),
    )
    known: set[str] = set()
    for name in COUPON_FILES:
        rows = _filter(source, target, name, lambda row: row["DISPFROM"] < week_end)
        known |= {row["COUPON_ID_hash"] for row in rows}
    for name in AREA_FILES:
        _filter(source, target, name, lambda row: row["COUPON_ID_hash"] in known)
    _filter(source, target, "prefecture_locations", lambda row: True)
    return target


def _filter(source: Path, target: Path, name: str, keep, change=lambda row: row):
    """Copy the rows of one CSV (zipped or not) that pass; return them."""
    plain, packed = source / f"{name}.csv", source / f"{name}.csv.zip"
    if plain.is_file():
        text = plain.read_text(encoding="utf-8-sig")
    elif packed.is_file():
        with zipfile.ZipFile(packed) as archive:
            text = archive.read(f"{name}.csv").decode("utf-8-sig")
    else:
        return []
    reader = csv.DictReader(text.splitlines())
    kept = [change(row) for row in reader if keep(row)]
    with (target / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, reader.fieldnames, lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)
    return kept


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
