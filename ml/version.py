"""Which version of the code computed something."""

from __future__ import annotations

import hashlib
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


def code_fingerprint() -> str:
    """Return the SHA-256 of what makes and tests the marts: SQL, YAML and seeds."""
    digest = hashlib.sha256()
    files = [settings.PROJECT_DIR / "dbt_project.yml"]
    for directory in ("models", "macros", "seeds", "tests/generic"):
        files += (settings.PROJECT_DIR / directory).rglob("*")
    for path in sorted(files):
        if path.is_file():
            name = path.relative_to(settings.PROJECT_DIR).as_posix()
            digest.update(f"{name}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
