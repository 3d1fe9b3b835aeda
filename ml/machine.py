"""What to tell when the machine refuses: too little memory, no room for a file."""

from __future__ import annotations

import duckdb

from ml import settings

#: What the system says of a file that it does not let grow.
NO_ROOM = (
    "No space left on device",
    "File too large",
    "Disk quota exceeded",
    "Read-only file system",
)
AGAIN = "then run the command again; what was published before is unchanged."


def refusal(error: BaseException) -> str | None:
    """Return the sentence for an error that the machine is the reason of, else None."""
    if isinstance(error, duckdb.OutOfMemoryException):
        return (
            "a query needs more memory than PONPARE_ML_MEMORY allows "
            f"({settings.memory_limit()}): set it higher, {AGAIN}"
        )
    if isinstance(error, MemoryError):
        return (
            "the machine has too little memory left: end other programs or take a "
            f"larger machine, {AGAIN}"
        )
    if isinstance(error, OSError | duckdb.Error):
        said = " ".join(str(error).split())
        if any(words in said for words in NO_ROOM):
            return (
                f"a file cannot be written ({said}): make room on the disk, or raise "
                f"the limit for files, {AGAIN}"
            )
    return None
