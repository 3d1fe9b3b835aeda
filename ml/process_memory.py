"""Memory of a process and of all that it has started, read from /proc while it runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
#: Seconds between two looks.
INTERVAL = 0.2


@dataclass
class Peak:
    """The most that was seen so far, in MB (10^6 bytes)."""

    megabytes: float = 0.0


def can_be_read() -> bool:
    """Whether this system has /proc, as Linux does."""
    return (PROC / "self" / "status").is_file()


@contextmanager
def watched(pid: int) -> Iterator[Peak]:
    """Look at a process and its descendants until the block ends.

    Yields
    ------
    Peak
        The largest sum of their resident memory at one moment. Pages that they share
        count once for each of them.
    """
    peak = Peak()
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(INTERVAL):
            peak.megabytes = max(peak.megabytes, resident_megabytes(pid))

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield peak
    finally:
        ended.set()
        looking.join()


def resident_megabytes(pid: int) -> float:
    """Return the resident memory of a process and its descendants at this moment."""
    processes = {status["Pid"]: status for status in _statuses()}
    total = 0
    for status in processes.values():
        if str(pid) in _ancestry(status, processes):
            # a process that ends has no memory any more
            total += int(status.get("VmRSS", "0 kB").split()[0])
    return total * 1024 / 1e6


def _ancestry(status: dict[str, str], processes: dict[str, dict]) -> Iterator[str]:
    """Yield the id of a process, of the one that started it, and so on."""
    while True:
        yield status["Pid"]
        parent = processes.get(status["PPid"])
        if parent is None:
            return
        status = parent


def _statuses() -> Iterator[dict[str, str]]:
    for path in PROC.glob("[0-9]*/status"):
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        # it has ended since it was listed
        except OSError:
            continue
        entries = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        if "Pid" in entries and "PPid" in entries:
            yield {name: value.strip() for name, value in entries.items()}
