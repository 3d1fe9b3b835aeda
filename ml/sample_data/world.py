"""Builds one sample world and writes it, with its truth beside it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from ml.sample_data import calendar, published, truth, writer
from ml.sample_data.activity import presence_by_week, wanted_purchases
from ml.sample_data.behaviour import Behaviour
from ml.sample_data.catalogue import make_coupons
from ml.sample_data.context import Context
from ml.sample_data.demand import make_demand
from ml.sample_data.drift import Drift
from ml.sample_data.ghosts import make_ghosts
from ml.sample_data.names import read_names
from ml.sample_data.preferences import Preferences, TasteHistory
from ml.sample_data.streams import random_hashes, stream
from ml.sample_data.users import make_users
from ml.sample_data.year import PUBLISHED, steady
from ml.settings import SYNTHETIC_MARKER

# Raised whenever the same request gives other bytes.
VERSION = 5
MARKER = SYNTHETIC_MARKER
FIRST_DRIFT, LAST_DRIFT = date(2011, 7, 10), date(2012, 6, 30)


class SampleDataError(Exception):
    """A request that cannot be met; the message is one sentence for the user."""


@dataclass(frozen=True)
class Request:
    """What to generate and where.

    ``drift`` is a day of the first changed week; with ``steady`` all weeks are alike.
    """

    users: int
    seed: int
    out: Path
    drift: date | None = None
    steady: bool = False

    def marker(self) -> str:
        """Text of the marker file that proves a directory to be synthetic."""
        return (
            "Synthetic sample data: no person, shop or purchase in here exists.\n"
            "Written by `python -m ml.sample_data`; docs/sample-data.md describes "
            "the model.\n"
            f"version={VERSION}\nusers={self.users}\nseed={self.seed}\n"
            f"drift={self.drift or 'none'}\n"
            f"steady={'yes' if self.steady else 'no'}\n"
        )


def generate(request: Request, *, force: bool = False) -> bool:
    """Write the world; return False if the directory already holds it.

    The files go to a temporary sibling first and are renamed at the end.

    Raises
    ------
    SampleDataError
        If the directory holds files that are not ours, or cannot be written.
    """
    out = request.out
    beside = truth.truth_directory(out)
    for directory in (out, beside):
        _check_directory(directory)
    if not force and all(_holds(d, request) for d in (out, beside)):
        return False
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        work = Path(
            tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".part", dir=out.parent)
        )
    except OSError as error:
        raise SampleDataError(
            f"cannot write below {out.parent}: {error.strerror}."
        ) from error
    try:
        made = {"data": out, "truth": beside}
        for name in made:
            (work / name).mkdir()
        _build(request, work / "data", work / "truth")
        for name, target in made.items():
            (work / name / MARKER).write_text(request.marker(), encoding="utf-8")
            if target.exists():
                os.replace(target, work / f"old-{name}")
            os.replace(work / name, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return True


def _holds(directory: Path, request: Request) -> bool:
    marker = directory / MARKER
    return marker.is_file() and marker.read_text(encoding="utf-8") == request.marker()


def _check_directory(out: Path) -> None:
    """Refuse a directory that holds anything but our own sample."""
    if not out.exists():
        return
    if not out.is_dir():
        raise SampleDataError(f"{out} is a file, not a directory.")
    if not (out / MARKER).is_file() and any(out.iterdir()):
        raise SampleDataError(
            f"{out} holds files that are not a generated sample (no {MARKER}); "
            "choose another --out."
        )


class _Progress:
    """Prints a line when more than two seconds have passed since the last one."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, text: str) -> None:
        now = time.monotonic()
        if now - self._last >= 2:
            self._last = now
            print(text, file=sys.stderr, flush=True)


def _build(request: Request, directory: Path, beside: Path) -> None:
    say = _Progress()
    seed = request.seed
    names = read_names()
    clock = calendar.HourClock(activity_hours())
    year = steady() if request.steady else PUBLISHED
    users = make_users(names, request.users, seed, year)
    coupons = make_coupons(names, request.users, seed, year)
    say(f"{len(users):,} users, {len(coupons):,} coupons")
    context = Context(names, users, coupons, seed, clock)
    demand = make_demand(context, year)
    wanted = wanted_purchases(
        names, users, presence_by_week(users), demand.pairs_in_log
    )
    early = late = Preferences(context, demand.pairs, wanted)
    change_week = calendar.N_WEEKS
    told_users, told_coupons = users, coupons
    if request.drift is not None:
        drift = Drift(calendar.day_number(str(request.drift)) // 7)
        told_users, told_coupons = drift.told(users, seed), drift.prices(coupons)
        changed = replace(
            context, users=drift.tastes(users, seed), coupons=told_coupons
        )
        late = Preferences(changed, demand.pairs, wanted)
        change_week = drift.week
    tastes = TasteHistory(early, late, change_week)
    say("tastes fitted")
    writer.write_users(directory, names, told_users)
    writer.write_coupons(directory, names, told_coupons, seed)
    writer.write_prefectures(directory, names)
    say("lists written")
    ghosts = make_ghosts(request.users, seed)
    behaviour = Behaviour(context, demand, tastes, ghosts, wanted)
    ghost_hashes = random_hashes(stream(seed, "ghost hashes"), len(ghosts))
    log = writer.LogWriter(directory, context, ghost_hashes, behaviour.n_referrers)
    n_purchases = n_visits = 0
    try:
        for week in range(calendar.TEST_WEEK):
            purchases, visits = behaviour.simulate(week)
            log.write(week, purchases, visits)
            n_purchases += len(purchases)
            n_visits += len(visits)
            say(
                f"week {week + 1} of {calendar.N_TRAIN_WEEKS}: "
                f"{n_purchases:,} purchases, {n_visits:,} visits"
            )
    finally:
        log.close()
    test_coupons, intensity = behaviour.test_intensity()
    truth.write_intensity(beside, users.hashes, coupons.hashes[test_coupons], intensity)
    purchases, _ = behaviour.simulate(calendar.TEST_WEEK)
    truth.write_purchases(beside, log, seed, calendar.TEST_WEEK, purchases)


def activity_hours() -> list[float]:
    """Hours of purchases and visits: those of registrations with a rise at noon."""
    hours = list(published.REGISTRATION_HOURS)
    hours[12] *= 1.35
    hours[13] *= 1.1
    return hours
