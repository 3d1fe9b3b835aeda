"""Which version of the code computed something."""

from __future__ import annotations

import subprocess
import tomllib

from ml import settings


def code_version() -> str:
    """Return the project's version and, in a checkout, its commit."""
    project = tomllib.loads(
        (settings.PROJECT_DIR / "pyproject.toml").read_text(encoding="utf-8")
    )
    version = project["project"]["version"]
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=settings.PROJECT_DIR,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return version
    return f"{version} {described.stdout.strip()}".strip()
