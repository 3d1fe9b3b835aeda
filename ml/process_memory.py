"""Memory of processes: read from /proc while they run, given back when it is free."""

from __future__ import annotations

import ctypes
import sys
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


def give_back() -> None:
    """Give freed memory back to the system, where the C library would keep it.

    glibc keeps what was freed between blocks that are still in use: hundreds of MB
    after trees were grown. Other libraries are left to themselves.
    """
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        if hasattr(library, "malloc_trim"):
            library.malloc_trim(0)


@contextmanager
def watched(pid: int) -> Iterator[Peak]:
    """Look at a process and its descendants until the block ends.

    A process counts from the second look on that finds it: one that Java has split off
    to become another has all of Java's memory for a moment, on paper.

    Yields
    ------
    Peak
        The largest sum of their resident memory at one moment. Pages that they share
        count once for each of them.
    """
    peak = Peak()
    ended = threading.Event()

    def look() -> None:
        known: set[str] = set()
        while True:
            found = resident_megabytes(pid)
            peak.megabytes = max(
                peak.megabytes,
                sum(size for process, size in found.items() if process in known),
            )
            known = set(found)
            if ended.wait(INTERVAL):
                return

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield peak
    finally:
        ended.set()
        looking.join()


def resident_megabytes(pid: int) -> dict[str, float]:
    """Return the resident memory of a process and its descendants, by their ids."""
    processes = {status["Pid"]: status for status in _statuses()}
    return {
        # a process that ends has no memory any more
        process: int(status.get("VmRSS", "0 kB").split()[0]) * 1024 / 1e6
        for process, status in processes.items()
        if str(pid) in _ancestry(status, processes)
    }


def _ancestry(status: dict[str, str], processes: dict[str, dict]) -> Iterator[str]:
    """Yield the id of a process, of the one that started it, and so on."""
    # an id may have been given anew between two looks: nobody is their own ancestor
    seen: set[str] = set()
    while status and status["Pid"] not in seen:
        seen.add(status["Pid"])
        yield status["Pid"]
        status = processes.get(status["PPid"], {})


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
