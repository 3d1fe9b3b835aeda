"""The calendar of the sample world: Sunday weeks, hours of the day, seasons.

Week 0 starts on Sunday 2011-06-26; the log opens on 2011-07-01 and closes on
2012-06-23, the last day of week 51. Week 52 (2012-06-24 to 06-30) is the test week.
"""

from __future__ import annotations

import numpy as np

FIRST_SUNDAY = np.datetime64("2011-06-26")
LOG_START = np.datetime64("2011-07-01")
TEST_SUNDAY = np.datetime64("2012-06-24")
LOG_END = TEST_SUNDAY - np.timedelta64(1, "D")
N_TRAIN_WEEKS = 52
TEST_WEEK = 52
N_WEEKS = 53
DAY_SECONDS = 86_400
WEEK_SECONDS = 7 * DAY_SECONDS

FIRST_LOG_DAY = int((LOG_START - FIRST_SUNDAY).astype(int))
TEST_DAY = int((TEST_SUNDAY - FIRST_SUNDAY).astype(int))
N_DAYS = N_WEEKS * 7


def day_number(date: str) -> int:
    """Days from the first Sunday to ``date`` (ISO text)."""
    return int((np.datetime64(date, "D") - FIRST_SUNDAY).astype(int))


def timestamps(seconds: np.ndarray) -> np.ndarray:
    """Turn seconds since the first Sunday into ``datetime64[s]``."""
    start = FIRST_SUNDAY.astype("datetime64[s]")
    return start + np.asarray(seconds).astype("timedelta64[s]")


def dates(days: np.ndarray) -> np.ndarray:
    """Turn days since the first Sunday into ``datetime64[D]``."""
    return FIRST_SUNDAY + np.asarray(days).astype("timedelta64[D]")


def month_of_day(days: np.ndarray) -> np.ndarray:
    """Months since 2011-06 of days since the first Sunday (0 is June 2011)."""
    months = dates(days).astype("datetime64[M]").astype(int)
    return months - np.datetime64("2011-06", "M").astype(int)


class HourClock:
    """Draws seconds of the day from an hourly profile, within bounds.

    Parameters
    ----------
    shares
        24 weights, one per hour.
    """

    def __init__(self, shares: np.ndarray) -> None:
        cumulative = np.concatenate([[0.0], np.cumsum(shares)])
        self._cdf = cumulative / cumulative[-1]
        self._grid = np.arange(25) * 3600.0

    def share_before(self, seconds: np.ndarray) -> np.ndarray:
        """Share of the day's activity before a second of the day."""
        return np.interp(seconds, self._grid, self._cdf)

    def draw(
        self, rng: np.random.Generator, low: np.ndarray, high: np.ndarray
    ) -> np.ndarray:
        """Draw a second of the day within ``[low, high)`` for each pair of bounds."""
        first, last = self.share_before(low), self.share_before(high)
        level = first + rng.random(len(first)) * (last - first)
        return np.interp(level, self._cdf, self._grid)
