"""Worlds whose commands have no network: what asks for it is denied and noted."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from warehouses import World

GUARD = Path(__file__).parent / "offline"


@cache
def taken_away() -> tuple[str, ...]:
    """Return the command before which another has no network at all, if it works here.

    The kernel gives the command a network of its own, which leads nowhere: that holds
    for what is no Python too. Not every machine allows it.
    """
    command = ("unshare", "--user", "--map-root-user", "--net")
    if shutil.which(command[0]) is None:
        return ()
    tried = subprocess.run([*command, "true"], capture_output=True, check=False)
    return command if tried.returncode == 0 else ()


def guarded(environment: dict[str, str], log: Path) -> dict[str, str]:
    """Return an environment in which Python denies what leaves the machine."""
    paths = [str(GUARD), environment.get("PYTHONPATH", "")]
    return {
        **environment,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "OFFLINE_LOG": str(log),
    }


@dataclass(frozen=True)
class OfflineWorld(World):
    """A world whose commands reach nothing but their own machine."""

    @property
    def log(self) -> Path:
        """File with a line for each attempt."""
        return self.database.with_suffix(".attempts")

    @property
    def attempts(self) -> list[str]:
        """Attempts to reach another machine, of all commands so far."""
        if not self.log.is_file():
            return []
        return self.log.read_text(encoding="utf-8").splitlines()

    def environment(self) -> dict[str, str]:
        """Return the environment with the guard."""
        return guarded(super().environment(), self.log)

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess:
        """Run a command without a network."""
        return super().run(*taken_away(), *command, check=check)
