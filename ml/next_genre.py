"""Foresee the genre of a buyer's next purchase, the second target.

Fits four models on earlier labelled weeks and measures them on a later one, week after
week: by default on the last four target weeks before 2012-04-15, as choices are made
there. Writes to ml.model_metrics, under names that begin with next_genre_.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ml import cli
from ml.files import write_whole
from ml.genre_examples import Examples, days_of, read_examples
from ml.genre_metrics import Foreseen, measure
from ml.genre_models import OwnMostFrequent, genre_models
from ml.genre_page import Section, text, with_section
from ml.judged import selection_weeks
from ml.markdown import data_title
from ml.progress import note, step
from ml.publish import insert_rows, metric_rows
from ml.version import code_version
from ml.warehouse import Warehouse, WarehouseError, open_warehouse

EXAMPLE = "example: python -m ml.next_genre --write docs/next-genre.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("next_genre", __doc__, EXAMPLE)
    parser.add_argument(
        "--cutoff",
        type=cli.date,
        metavar="DATE",
        help="measure on this labelled week alone",
    )
    cli.add_seed(parser)
    parser.add_argument(
        "--write",
        type=Path,
        metavar="FILE",
        help="also write a section per data set into this page",
    )
    options = parser.parse_args(arguments)
    return cli.run(lambda: run(options))


def run(options: argparse.Namespace) -> Section:
    """Fit, measure, publish and print.

    Raises
    ------
    CommandError
        The page cannot be written.
    WarehouseError
        The warehouse is not built, or has too few labelled weeks.
    """
    cli.check_writable(options.write)
    started_at = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    with open_warehouse(read_only=True) as warehouse:
        warehouse.check_table("next_genre_examples")
        fingerprint = warehouse.data_fingerprint()
        judged = _judged_weeks(warehouse, options.cutoff)
        with step(f"reading examples up to {judged[-1]}"):
            examples = read_examples(warehouse, judged[-1])
        ((n_users,),) = warehouse.rows("select count(*) from core.dim_users")
    foreseen = foresee(examples, judged, options.seed)
    with step("measuring"):
        measured = measure(foreseen, OwnMostFrequent.name, options.seed)
    section = Section(
        title=data_title(n_users),
        judged=judged,
        n_fitting_weeks=sum(day < judged[0] for day in days_of(examples)),
        n_examples=len(foreseen.label),
        genres=foreseen.genres,
        reference=OwnMostFrequent.name,
        version=code_version(),
        metrics=measured,
    )
    with open_warehouse() as warehouse:
        _publish(warehouse, section, fingerprint, started_at)
    print(f"\n{text(section)}")
    if options.write is not None:
        page = options.write
        old = page.read_text(encoding="utf-8") if page.is_file() else ""
        write_whole(page, with_section(old, section))
    return section


def foresee(
    examples: Examples, judged: Sequence[dt.date], random_state: int = 0
) -> Foreseen:
    """Return what every model says of each judged week, fitted on the weeks before it.

    Raises
    ------
    WarehouseError
        A judged week has no examples, or none before it.
    """
    genres = np.unique(examples.genre.astype(str))
    of_week, probabilities = [], {}
    for day in judged:
        before = examples.take(examples.cutoff < np.datetime64(day))
        week = examples.take(examples.cutoff == np.datetime64(day))
        if not len(before) or not len(week):
            raise WarehouseError(
                f"{day} cannot be measured: it has {len(week)} examples, and "
                f"{len(before)} come from labelled weeks before it."
            )
        if len(np.unique(before.genre.astype(str))) < 2:
            raise WarehouseError(
                f"{day} cannot be measured: all {len(before)} examples before it are "
                "of one genre, so there is nothing to tell apart."
            )
        of_week.append(week)
        with step(f"{day}: fitting on {len(before):,} examples"):
            for model in genre_models(random_state):
                probability = np.zeros((len(week), len(genres)))
                columns = np.searchsorted(genres, model.fit(before).genres_)
                probability[:, columns] = model.predict(week)
                probabilities.setdefault(model.name, []).append(probability)
                note(model.name)
    return Foreseen(
        genres.tolist(),
        np.searchsorted(
            genres, np.concatenate([week.genre.astype(str) for week in of_week])
        ),
        np.concatenate([week.user_id for week in of_week]),
        {name: np.vstack(parts) for name, parts in probabilities.items()},
    )


def _judged_weeks(warehouse: Warehouse, cutoff: dt.date | None) -> list[dt.date]:
    cutoffs = warehouse.cutoffs()
    if cutoff is None:
        _, judged = selection_weeks(cutoffs)
        return judged
    labelled = [c.date for c in cutoffs if c.is_labelled]
    if cutoff not in labelled:
        raise WarehouseError(
            f"{cutoff} is no labelled cutoff in use; those are "
            f"{', '.join(map(str, labelled)) or 'none'}."
        )
    return [cutoff]


def _publish(
    warehouse: Warehouse, section: Section, fingerprint: str, started_at: dt.datetime
) -> None:
    """Add the metrics to ``ml.model_metrics``, all or nothing.

    They have no row in ``ml.model_runs``, whose runs score pairs and are ranked by it.
    """
    warehouse.check_same_data(
        fingerprint,
        "nothing was written. Run `python -m ml.next_genre` again.",
    )
    run_id = f"next-genre-{started_at:%Y%m%dT%H%M%S}-{fingerprint[:8]}"
    with warehouse.transaction():
        insert_rows(
            warehouse,
            "model_metrics",
            metric_rows(run_id, section.judged[-1], section.metrics),
        )


if __name__ == "__main__":
    sys.exit(main())
