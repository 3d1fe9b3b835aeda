"""Run a command in a process of its own and measure what it cost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from ml import process_memory, settings
from ml.cli import CommandError


@dataclass(frozen=True)
class Cost:
    """What a command cost.

    Attributes
    ----------
    seconds
        From start to end.
    peak_memory_mb
        Peak resident memory in MB (10^6 bytes) of the process, or of the largest that
        it started and waited for; where descendants were asked for, the largest sum of
        all at one moment.
    exit_code
        0 unless others were accepted.
    """

    seconds: float
    peak_memory_mb: float
    exit_code: int = 0


def run_measured(
    title: str,
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
    accepted: Sequence[int] = (0,),
    with_descendants: bool = False,
) -> Cost:
    """Run a command from the project's directory until it ends.

    Parameters
    ----------
    title
        What the command is called in the error message.
    environment
        Variables besides those of this process.
    stdout, stderr
        File descriptors for what the command prints; by default this process's own.
    accepted
        Exit codes that are no error.
    with_descendants
        Whether memory is that of all processes that it starts, added up: of dbt on
        Spark nearly all is Java's, for which dbt does not wait. Linux only.

    Raises
    ------
    CommandError
        The command ended with an error.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        list(command),
        cwd=settings.PROJECT_DIR,
        env={**os.environ, **(environment or {})},
        stdout=stdout,
        stderr=stderr,
    )
    watching = process_memory.watched(process.pid) if with_descendants else None
    try:
        with watching or nullcontext() as peak:
            _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        process.kill()
        process.wait()
        raise
    seconds = time.perf_counter() - started
    code = os.waitstatus_to_exitcode(status)
    process.returncode = code
    if code == -signal.SIGKILL:
        raise CommandError(
            f"step {title!r} was killed, by somebody or by a system that ran out of "
            f"memory: run it again. Command: {' '.join(command)}"
        )
    if code not in accepted:
        raise CommandError(
            f"step {title!r} failed with exit code {code}; the lines above say why. "
            f"Command: {' '.join(command)}"
        )
    # Linux counts in KiB, macOS in bytes
    unit = 1 if sys.platform == "darwin" else 1024
    own = usage.ru_maxrss * unit / 1e6
    # of a command that ends at once nothing was seen
    seen = peak.megabytes if peak else 0.0
    return Cost(seconds, seen or own, code)
