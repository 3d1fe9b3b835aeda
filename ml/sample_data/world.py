"""Builds one sample world and writes it to a directory."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from ml.sample_data import calendar, published, writer
from ml.sample_data.behaviour import Behaviour, make_ghosts
from ml.sample_data.catalogue import make_coupons
from ml.sample_data.choice import (
    Preferences,
    make_demand,
    presence_by_week,
    wanted_purchases,
)
from ml.sample_data.names import read_names
from ml.sample_data.streams import random_hashes, stream
from ml.sample_data.users import make_users
from ml.settings import SYNTHETIC_MARKER

VERSION = 1
MARKER = SYNTHETIC_MARKER


class SampleDataError(Exception):
    """A request that cannot be met; the message is one sentence for the user."""


@dataclass(frozen=True)
class Request:
    """What to generate and where."""

    users: int
    seed: int
    out: Path

    def marker(self) -> str:
        """Text of the marker file that proves a directory to be synthetic."""
        return (
            "Synthetic sample data: no person, shop or purchase in here exists.\n"
            "Written by `python -m ml.sample_data`; docs/sample-data.md describes "
            "the model.\n"
            f"version={VERSION}\nusers={self.users}\nseed={self.seed}\n"
        )


def generate(request: Request, *, force: bool = False) -> bool:
    """Write the world; return False if the directory already holds it.

    Raises
    ------
    SampleDataError
        If the directory holds files that are not ours, or cannot be written.
    """
    out = request.out
    check_directory(out)
    marker = out / MARKER
    if (
        not force
        and marker.is_file()
        and marker.read_text(encoding="utf-8") == request.marker()
    ):
        return False
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(
            tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".part", dir=out.parent)
        )
    except OSError as error:
        raise SampleDataError(
            f"cannot write below {out.parent}: {error.strerror}."
        ) from error
    try:
        _build(request, temporary)
        (temporary / MARKER).write_text(request.marker(), encoding="utf-8")
        temporary.chmod(0o755)
        _replace(temporary, out)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return True


def check_directory(out: Path) -> None:
    """Refuse a directory that holds anything but our own sample."""
    if not out.exists():
        return
    if not out.is_dir():
        raise SampleDataError(f"{out} is a file, not a directory.")
    if (out / MARKER).is_file():
        return
    if any(out.iterdir()):
        raise SampleDataError(
            f"{out} holds files that are not a generated sample (no {MARKER}); "
            "choose another --out."
        )


def _replace(temporary: Path, out: Path) -> None:
    if out.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".old",
                                    dir=out.parent))
        os.replace(out, old / "previous")
        os.replace(temporary, out)
        shutil.rmtree(old, ignore_errors=True)
    else:
        os.replace(temporary, out)


class _Progress:
    """Prints a line when more than two seconds have passed since the last one."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, text: str) -> None:
        now = time.monotonic()
        if now - self._last >= 2:
            self._last = now
            print(text, file=sys.stderr, flush=True)


def _build(request: Request, directory: Path) -> None:
    say = _Progress()
    names = read_names()
    clock = calendar.HourClock(activity_hours())
    users = make_users(names, request.users, request.seed)
    say(f"users: {len(users):,}")
    coupons = make_coupons(names, request.users, request.seed)
    say(f"coupons: {len(coupons):,}")
    demand = make_demand(names, users, coupons, request.seed, clock)
    presence = presence_by_week(users)
    wanted = wanted_purchases(names, users, presence, demand.pairs_in_log)
    preferences = Preferences(names, users, coupons, demand, wanted)
    say("tastes balanced")
    ghosts = make_ghosts(request.users, request.seed)
    writer.write_users(directory, names, users)
    writer.write_coupons(directory, names, coupons, request.seed)
    writer.write_prefectures(directory, names)
    say("lists written")
    behaviour = Behaviour(
        names, users, coupons, demand, preferences, ghosts, wanted,
        request.seed, clock
    )
    ghost_hashes = random_hashes(stream(request.seed, "ghost hashes"), len(ghosts))
    log = writer.LogWriter(
        directory, names, users, coupons, ghost_hashes,
        behaviour.n_referrers, request.seed,
    )
    n_purchases = n_visits = 0
    try:
        for week, purchases, visits in behaviour.weeks(calendar.TEST_WEEK - 1):
            log.write(week, purchases, visits)
            n_purchases += len(purchases)
            n_visits += len(visits)
            say(
                f"week {week + 1} of {calendar.N_TRAIN_WEEKS}: "
                f"{n_purchases:,} purchases, {n_visits:,} visits"
            )
    finally:
        log.close()


def activity_hours() -> list[float]:
    """Hours of purchases and visits: those of registrations with a rise at noon."""
    hours = list(published.REGISTRATION_HOURS)
    hours[12] *= 1.35
    hours[13] *= 1.1
    return hours
