"""What every part of a run needs to know: the world as it stands before the log."""

from __future__ import annotations

from dataclasses import dataclass

from ml.sample_data.calendar import HourClock
from ml.sample_data.coupons import Coupons
from ml.sample_data.names import Names
from ml.sample_data.users import Users


@dataclass(frozen=True)
class Context:
    """Names, people, coupons and clock of one world.

    Attributes
    ----------
    names
        Look-up tables.
    users, coupons
        Who may buy, and what.
    seed
        Seed of all random streams.
    clock
        Hours of the day.
    """

    names: Names
    users: Users
    coupons: Coupons
    seed: int
    clock: HourClock
