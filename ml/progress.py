"""Progress on standard error: what runs now, how long it took, how much memory."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Step:
    """A timed step; ``seconds`` is set when it ends."""

    seconds: float = 0.0


@contextmanager
def step(title: str) -> Iterator[Step]:
    """Print a title at once and the seconds when the block ends."""
    started = time.perf_counter()
    timed = Step()
    print(f"  {title} ...", end="", file=sys.stderr, flush=True)
    try:
        yield timed
    except BaseException:
        print(" failed", file=sys.stderr, flush=True)
        raise
    timed.seconds = time.perf_counter() - started
    print(f" {timed.seconds:.1f} s", file=sys.stderr, flush=True)


def note(text: str) -> None:
    """Print where a long step stands, on the step's own line."""
    print(f" {text}", end="", file=sys.stderr, flush=True)


def peak_memory_mb() -> float:
    """Peak resident memory of this process so far, in MB (10^6 bytes)."""
    # Linux counts in KiB, macOS in bytes
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
