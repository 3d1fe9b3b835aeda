"""Memory that is free is the system's again."""

from __future__ import annotations

import os
import platform

import numpy as np
import pytest

from ml.process_memory import give_back, resident_megabytes

BLOCK_BYTES = 16_384
N_BLOCKS = 10_000


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="this system has no glibc"
)
def test_what_is_free_between_blocks_in_use_is_given_back():
    def resident() -> float:
        return resident_megabytes(os.getpid())[str(os.getpid())]

    blocks = [np.ones(BLOCK_BYTES, np.uint8) for _ in range(N_BLOCKS)]
    kept = blocks[::100]
    del blocks
    before = resident()
    give_back()
    # 164 MB were written, of which every hundredth block is still there
    assert before - resident() > 100
    assert all(block.all() for block in kept)
