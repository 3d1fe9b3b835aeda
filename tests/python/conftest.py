"""Worlds that several test files share, each built once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits
from warehouses import World, build_marts, use_small_models, write_sample

from ml.manifest import read_manifest
from ml.models import trees


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Fit with one thread: test files run side by side, and threads would queue."""
    with pytest.MonkeyPatch.context() as patch, threadpool_limits(1):
        patch.setattr(trees, "N_THREADS", 1)
        yield


@pytest.fixture(scope="session")
def sample_dir(tmp_path_factory) -> Path:
    """Sample data of 300 users."""
    return write_sample(tmp_path_factory.mktemp("data") / "sample", users=300, seed=3)


@pytest.fixture(scope="session")
def sample_world(sample_dir, tmp_path_factory) -> World:
    """Marts of the sample, all weeks in use. Tests may train on it, not rebuild it.

    Training finds settings for small models in it.
    """
    database = tmp_path_factory.mktemp("warehouse") / "sample.duckdb"
    world = build_marts(World(sample_dir, database), "--vars", "{n_cutoffs: 60}")
    return use_small_models(world)


@pytest.fixture(scope="session")
def manifest() -> dict:
    """dbt's manifest of the project as it stands."""
    return read_manifest()


@pytest.fixture(scope="session")
def real_dir() -> Path:
    """Directory with the competition's files, or skip."""
    directory = os.environ.get("PONPARE_REAL_DIR")
    if not directory:
        pytest.skip("PONPARE_REAL_DIR is not set: tests on real data are left out")
    return Path(directory)


@pytest.fixture(scope="session")
def real_world(real_dir, tmp_path_factory) -> World:
    """Marts of the real files."""
    database = tmp_path_factory.mktemp("real") / "real.duckdb"
    return build_marts(World(real_dir, database))
