"""Worlds that several test files share, each built once."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from build_raw_files import write_required
from hypothesis import HealthCheck, settings
from threadpoolctl import threadpool_limits
from warehouses import World, build_marts, use_small_models, write_sample

from ml.manifest import read_manifest
from ml.models import trees

if TYPE_CHECKING:
    from browser import Browser


#: Properties are tried on the same inputs in every run; `--hypothesis-profile=drawn`
#: draws others and prints how to draw them again.
SHARED = {
    "deadline": None,
    "database": None,
    "max_examples": 200,
    "suppress_health_check": [
        HealthCheck.too_slow,
        HealthCheck.function_scoped_fixture,
    ],
}
settings.register_profile("fixed", derandomize=True, **SHARED)
settings.register_profile("drawn", print_blob=True, **SHARED)
settings.load_profile("fixed")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests in a browser: `pytest -m browser` runs them alone."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Fit with one thread: test files run side by side, and threads would queue."""
    with pytest.MonkeyPatch.context() as patch, threadpool_limits(1):
        patch.setattr(trees, "N_THREADS", 1)
        yield


def made_once(
    tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]
) -> Path:
    """Return a directory that the first of several test processes fills for all."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    directory, is_made = shared / name, shared / f"{name}.made"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_made.exists():
            # what a process that failed has left
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir()
            make(directory)
            is_made.touch()
    return directory


def own_copy(world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return a world with a copy of the warehouse, which this process may write to."""
    database = tmp_path_factory.mktemp("warehouse") / world.database.name
    shutil.copy(world.database, database)
    return World(world.data_dir, database)


@pytest.fixture
def data_dir(tmp_path) -> Path:
    """A directory with every file that is required, of a few rows each."""
    path = tmp_path / "data"
    write_required(path)
    return path


@pytest.fixture
def cache_dir(tmp_path) -> Path:
    """Where rows of raw files are kept; not there yet."""
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def sample_dir(tmp_path_factory) -> Path:
    """Sample data of 300 users."""
    return write_sample(tmp_path_factory.mktemp("data") / "sample", users=300, seed=3)


@pytest.fixture(scope="session")
def sample_world(sample_dir, tmp_path_factory) -> World:
    """Marts of the sample, all weeks in use. Tests may train on it, not rebuild it.

    Training finds settings for small models in it.
    """

    def build(directory: Path) -> None:
        world = World(sample_dir, directory / "sample.duckdb")
        build_marts(world, "--vars", "{n_cutoffs: 60}")
        use_small_models(world)

    made = made_once(tmp_path_factory, "sample", build)
    return own_copy(World(sample_dir, made / "sample.duckdb"), tmp_path_factory)


@pytest.fixture(scope="session")
def one_run_world(tmp_path_factory) -> World:
    """A small world with one run, shared by all processes: nothing may write to it."""

    def build(directory: Path) -> None:
        data = write_sample(directory / "sample", users=120, seed=4)
        world = World(data, directory / "world.duckdb")
        use_small_models(build_marts(world)).python("-m", "ml.train")

    made = made_once(tmp_path_factory, "trained", build)
    return World(made / "sample", made / "world.duckdb")


@pytest.fixture(scope="session")
def trained_world(one_run_world, tmp_path_factory) -> World:
    """A small world with a run or more. A test may train on it, no test rebuilds it."""
    return own_copy(one_run_world, tmp_path_factory)


def take(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Let verbs called in this process take a world."""
    for name, value in world.environment().items():
        monkeypatch.setenv(name, value)
    return world


@pytest.fixture
def one_run_world_in_use(one_run_world, monkeypatch) -> World:
    """The world with one run as the one that verbs called in this process take."""
    return take(one_run_world, monkeypatch)


@pytest.fixture
def trained_world_in_use(trained_world, monkeypatch) -> World:
    """The trained world as the one that verbs called in this process take."""
    return take(trained_world, monkeypatch)


@pytest.fixture(scope="session")
def manifest(tmp_path_factory) -> dict:
    """dbt's manifest of the project as it stands."""

    def build(directory: Path) -> None:
        text = json.dumps(read_manifest())
        (directory / "manifest.json").write_text(text, encoding="utf-8")

    made = made_once(tmp_path_factory, "manifest", build) / "manifest.json"
    return json.loads(made.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def chromium(tmp_path_factory) -> Iterator[Browser]:
    """Chromium, started once for all tests; tests take `browser`."""
    from browser import running_browser  # Selenium, for the tests that need it

    with running_browser(tmp_path_factory.mktemp("chromium")) as started:
        yield started


@pytest.fixture
def browser(chromium) -> Browser:
    """Chromium on an empty page, as if just started."""
    chromium.reset()
    return chromium


@pytest.fixture(scope="session")
def real_dir() -> Path:
    """Directory with the competition's files, or skip."""
    directory = os.environ.get("PONPARE_REAL_DIR")
    if not directory:
        pytest.skip("PONPARE_REAL_DIR is not set: tests on real data are left out")
    return Path(directory)


@pytest.fixture(scope="session")
def real_world(real_dir, tmp_path_factory) -> World:
    """Marts of the real files. Tests may write to it, none rebuilds it."""
    made = made_once(
        *(tmp_path_factory, "real"),
        lambda directory: build_marts(World(real_dir, directory / "real.duckdb")),
    )
    return own_copy(World(real_dir, made / "real.duckdb"), tmp_path_factory)
