"""Measures a directory of raw files: one number for each calibration target.

Every measure is a query over the CSV files, with the definition that the published
figure has. Names equal the ``name`` column of ``docs/calibration-targets.csv``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb

from ml.calibration.lists import lists
from ml.calibration.load import load_files
from ml.calibration.moments import time
from ml.calibration.place import place
from ml.calibration.purchases import genre, per_coupon, per_user, price
from ml.calibration.ranking import rank
from ml.calibration.views import views
from ml.calibration.volume import repeat, volume, week

Measures = dict[tuple[str, str], float]
FILES = (
    "user_list",
    "coupon_list_train",
    "coupon_list_test",
    "coupon_area_train",
    "coupon_area_test",
    "coupon_detail_train",
    "coupon_visit_train",
)
PARTS = {
    "volume": volume,
    "purchases per user": per_user,
    "purchases per coupon": per_coupon,
    "genre": genre,
    "price": price,
    "place": place,
    "time": time,
    "views": views,
    "repeat": repeat,
    "week": week,
    "lists": lists,
    "rank": rank,
}


def measure(
    directory: Path, say: Callable[[str], None] = lambda text: None
) -> Measures:
    """Measure all targets on the files in ``directory``.

    Parameters
    ----------
    directory
        A directory with the seven CSV files, unpacked.
    say
        Called with the name of each part before it is measured.

    Returns
    -------
    dict
        (group, name) to value. Targets that need models are not in it.

    Raises
    ------
    FileNotFoundError
        If one of the files is absent.
    """
    for name in FILES:
        if not (directory / f"{name}.csv").is_file():
            raise FileNotFoundError(f"{directory} has no {name}.csv")
    with duckdb.connect(":memory:") as con:
        say("reading the files")
        load_files(con, directory)
        measures: Measures = {}
        for group, part in PARTS.items():
            say(group)
            measures |= {(group, name): value for name, value in part(con).items()}
    return measures
