"""What the project's YAML says, resolved by dbt: its manifest."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from ml import settings
from ml.cli import CommandError


def dbt_command() -> str:
    """Return dbt of the environment that runs this."""
    return str(Path(sys.executable).parent / "dbt")


def read_manifest(compiled: bool = False, select: str | None = None) -> dict:
    """Return dbt's manifest of the project as it stands; nothing is left behind.

    Parameters
    ----------
    compiled
        With the SQL of each model as `compiled_code`, as the warehouse in use would
        run it; takes about ten seconds longer.
    select
        What is compiled, in dbt's words; by default everything.

    Raises
    ------
    CommandError
        dbt cannot read the project.
    """
    verb = "compile" if compiled else "parse"
    without_warehouse = ("--no-introspect", "--no-populate-cache") if compiled else ()
    selection = ("--select", select) if select else ()
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(
            [
                *(dbt_command(), verb, "--no-partial-parse", "--no-use-colors"),
                *("--target-path", directory, "--log-path", directory),
                *(*without_warehouse, *selection),
            ],
            cwd=settings.PROJECT_DIR,
            # named as the warehouse in use, whose tables compiled SQL names
            env={
                **os.environ,
                "PONPARE_DB": str(Path(directory) / settings.warehouse_path().name),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        path = Path(directory) / "manifest.json"
        if done.returncode != 0 or not path.is_file():
            raise CommandError(
                f"dbt cannot read the project: run `dbt {verb}` to see what it says."
            )
        return json.loads(path.read_text(encoding="utf-8"))


def models(manifest: dict) -> dict[str, dict]:
    """Return the models of a manifest by name."""
    return {
        node["name"]: node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
    }


def is_not_null(column: dict) -> bool:
    """Whether the contract forbids null in a column."""
    return any(constraint["type"] == "not_null" for constraint in column["constraints"])


def last_sentence(description: str) -> str:
    """Return the last sentence of a description: of a model, its grain."""
    return re.split(r"(?<=\.)\s+", " ".join(description.split()))[-1]
