"""Random streams that depend on the seed and a name, and hashes drawn from them."""

from __future__ import annotations

import zlib

import numpy as np
import pyarrow as pa

HASH_LENGTH = 32


def stream(seed: int, name: str, *numbers: int) -> np.random.Generator:
    """Return the generator for one named part of the world.

    Parts do not share a stream, so that a change in one leaves the others alone.
    """
    return np.random.default_rng([seed, zlib.crc32(name.encode()), *numbers])


def random_hashes(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return ``n`` hashes of 32 lower-case hex characters, as bytes (``S32``)."""
    return np.frombuffer(rng.bytes(16 * n).hex().encode(), dtype=f"S{HASH_LENGTH}")


def hash_array(hashes: np.ndarray) -> pa.StringArray:
    """Wrap hashes (``S32``) as an Arrow string array without copying each value."""
    n = len(hashes)
    offsets = np.arange(n + 1, dtype=np.int32) * HASH_LENGTH
    data = pa.py_buffer(np.ascontiguousarray(hashes).tobytes())
    return pa.StringArray.from_buffers(n, pa.py_buffer(offsets), data)


def quota(shares: np.ndarray, n: int) -> np.ndarray:
    """Split ``n`` into whole counts proportional to ``shares`` (largest remainder)."""
    shares = np.asarray(shares, dtype=float)
    exact = n * shares / shares.sum()
    counts = np.floor(exact).astype(np.int64)
    order = np.lexsort((np.arange(len(shares)), counts - exact))
    counts[order[: n - counts.sum()]] += 1
    return counts


def even_levels(rng: np.random.Generator, sizes: np.ndarray) -> np.ndarray:
    """Return numbers in 0..1, in random order, that lie evenly.

    Evenly means: where the i-th number counts ``sizes[i]`` times, the share of
    numbers below any level is close to that level. Numbers that count nothing lie
    evenly among themselves.
    """
    sizes = np.asarray(sizes, dtype=float)
    order = rng.permutation(len(sizes))
    width = sizes[order]
    levels = np.empty(len(order))
    levels[order] = (np.cumsum(width) - width * rng.random(len(order))) / max(
        width.sum(), 1e-9
    )
    nothing = np.flatnonzero(sizes <= 0)
    place = rng.permutation(len(nothing)) + rng.random(len(nothing))
    levels[nothing] = place / max(len(nothing), 1)
    return levels


def even_by_group(rng: np.random.Generator, group: np.ndarray) -> np.ndarray:
    """Return numbers in 0..1 that lie evenly within each group, in random order."""
    order = np.lexsort((rng.random(len(group)), group))
    sizes = np.bincount(group)
    rank = np.arange(len(group)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    levels = np.empty(len(group))
    levels[order] = (rank + rng.random(len(group))) / np.repeat(sizes, sizes)
    return levels


def even_choice(
    rng: np.random.Generator, chance: np.ndarray, group: np.ndarray
) -> np.ndarray:
    """Mark members with the given chances, evenly: each group's number is within one.

    Systematic sampling along the groups, in random order within each.
    """
    order = np.lexsort((rng.random(len(group)), group))
    passed = np.floor(np.cumsum(chance[order]) + rng.random())
    chosen = np.zeros(len(group), dtype=bool)
    chosen[order] = np.diff(passed, prepend=0) > 0
    return chosen


def draw_quota(rng: np.random.Generator, shares: np.ndarray, n: int) -> np.ndarray:
    """Return ``n`` category numbers in random order, with counts as by `quota`."""
    values = np.repeat(np.arange(len(shares)), quota(shares, n))
    rng.shuffle(values)
    return values
