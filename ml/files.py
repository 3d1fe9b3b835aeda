"""Write files whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def written_whole(path: Path) -> Iterator[TextIO]:
    """Yield a text file that takes the place of ``path`` when the block ends well.

    An interrupted block leaves what was there before, and nothing beside it. Whoever
    may read other new files may read it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            yield file
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    """Return what is taken from the rights of new files; it cannot be only read."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def write_whole(path: Path, text: str) -> None:
    """Write a text file as :func:`written_whole` does."""
    with written_whole(path) as file:
        file.write(text)
