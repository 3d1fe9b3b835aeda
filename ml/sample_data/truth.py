"""Writes what no file of the sample shows: intensities and the test week's purchases.

The truth lies beside the data, never inside it, so that nothing that reads the data
can meet it by chance. Only ``ml/oracle.py`` reads it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.csv as pacsv

from ml.sample_data.events import Purchases
from ml.sample_data.writer import LogWriter, purchase_hashes

INTENSITY_FILE = "intensity.npz"
PURCHASES_FILE = "test_week_purchases.csv"


def truth_directory(data: Path) -> Path:
    """Directory of the truth of the sample in ``data``: its name plus ``.truth``."""
    return data.with_name(data.name + ".truth")


def write_intensity(
    directory: Path,
    user_hashes: np.ndarray,
    coupon_hashes: np.ndarray,
    intensity: np.ndarray,
) -> None:
    """Write expected purchases per user (rows) and test coupon (columns)."""
    np.savez_compressed(
        directory / INTENSITY_FILE,
        user_hash=user_hashes,
        coupon_hash=coupon_hashes,
        intensity=intensity.astype(np.float32),
    )


def write_purchases(
    directory: Path, log: LogWriter, seed: int, week: int, purchases: Purchases
) -> None:
    """Write the test week's purchases in the columns of ``coupon_detail_train.csv``."""
    with (directory / PURCHASES_FILE).open("wb") as file:
        file.write((LogWriter.DETAIL + "\n").encode())
        if len(purchases):
            ids = purchase_hashes(seed, week, len(purchases))
            options = pacsv.WriteOptions(include_header=False, quoting_style="none")
            pacsv.write_csv(log.purchase_table(purchases, ids), file, options)
