"""The settings of dbt's session on Spark, read where dbt reads them: profiles.yml."""

from __future__ import annotations

import os

import jinja2
import yaml

from ml import settings
from ml.warehouse import WarehouseError

PROFILES = settings.PROJECT_DIR / "profiles.yml"
OUTPUT = "spark"
#: What dbt-spark sets besides, whatever the profile says.
OF_DBT_SPARK = {"spark.sql.ansi.enabled": "false"}


def session_settings() -> dict[str, str]:
    """Return the settings of a session by name, as dbt would render them."""
    profile = yaml.safe_load(PROFILES.read_text(encoding="utf-8"))
    output = profile["ponpare"]["outputs"][OUTPUT]
    rendered = {
        name: render(str(value))
        for name, value in output["server_side_parameters"].items()
    }
    return rendered | OF_DBT_SPARK


def render(template: str) -> str:
    """Return an entry of the profile as dbt would render it, as text."""
    # settings are texts for Spark: there is nothing to convert
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    environment.filters["as_number"] = str
    return environment.from_string(template).render(env_var=_env_var)


def _env_var(name: str, default: str | None = None) -> str:
    value = os.environ.get(name, default)
    if value is None:
        raise WarehouseError(f"profiles.yml needs the environment variable {name}.")
    return value
