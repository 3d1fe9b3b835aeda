"""Environment variables, and that dbt and ``ml`` read them alike."""

from __future__ import annotations

import os
from pathlib import Path

import jinja2
import pytest
import yaml

from ml import settings

VARIABLES = (
    *("PONPARE_DATA_DIR", "PONPARE_DB", "PONPARE_CACHE"),
    *("PONPARE_MEMORY", "PONPARE_ML_MEMORY"),
)


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_defaults():
    assert settings.data_dir() == Path("data/sample")
    assert settings.warehouse_path() == Path("warehouse/sample.duckdb")
    assert settings.cache_dir() == settings.PROJECT_DIR / ".cache"
    assert settings.memory_limit() == "1500MB"
    assert (settings.PROJECT_DIR / "dbt_project.yml").is_file()


def test_variables_win(monkeypatch):
    monkeypatch.setenv("PONPARE_DATA_DIR", "/coupons/real")
    monkeypatch.setenv("PONPARE_CACHE", "/scratch")
    monkeypatch.setenv("PONPARE_ML_MEMORY", "2GB")
    assert settings.data_dir() == Path("/coupons/real")
    assert settings.warehouse_path() == Path("warehouse/real.duckdb")
    assert settings.cache_dir() == Path("/scratch")
    assert settings.memory_limit() == "2GB"
    monkeypatch.setenv("PONPARE_DB", "/elsewhere/my.duckdb")
    assert settings.warehouse_path() == Path("/elsewhere/my.duckdb")


def test_empty_variables_count_as_unset(monkeypatch):
    for name in VARIABLES:
        monkeypatch.setenv(name, "")
    test_defaults()


def rendered(template: str) -> str:
    """Return an entry of the profile as dbt would render it."""
    return jinja2.Template(template).render(env_var=os.environ.get)


def profile() -> dict:
    """Return the profile that dbt uses by default."""
    profiles = settings.PROJECT_DIR / "profiles.yml"
    content = yaml.safe_load(profiles.read_text(encoding="utf-8"))
    return content["ponpare"]["outputs"]["dev"]


def profile_path() -> str:
    """Return the warehouse path as dbt would render it."""
    return rendered(profile()["path"])


@pytest.mark.parametrize("limit", [None, "", "7GB"])
def test_dbt_and_ml_agree_on_the_memory_of_a_build(monkeypatch, limit):
    if limit is not None:
        monkeypatch.setenv("PONPARE_MEMORY", limit)
    of_dbt = rendered(profile()["settings"]["memory_limit"])
    assert settings.build_memory_limit() == of_dbt


@pytest.mark.parametrize("database", [None, "", "my.duckdb", "/abs/dir/my.duckdb"])
@pytest.mark.parametrize(
    "directory",
    [
        None,
        "",
        "data/sample",
        "data/sample/",
        "data/sample//",
        "../shared/ponpare",
        "/abs/with space/",
        "plain",
        "dotted.name/v1.2",
        "./here",
        "here/.",
        ".",
    ],
)
def test_dbt_and_ml_open_the_same_warehouse(monkeypatch, directory, database):
    for name, value in (("PONPARE_DATA_DIR", directory), ("PONPARE_DB", database)):
        if value is not None:
            monkeypatch.setenv(name, value)
    assert Path(profile_path()) == settings.warehouse_path()
