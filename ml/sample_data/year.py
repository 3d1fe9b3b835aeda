"""What changes over the year of the log: as published, or level throughout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ml.sample_data import published

DAYS_IN_LOG = 358
# Days of 2011-07 to 2012-06 of which purchases are counted by month.
MONTH_DAYS = np.array([31, 31, 30, 31, 30, 31, 31, 29, 31, 30, 31, 23])


@dataclass(frozen=True)
class Year:
    """Totals by week and month, and what happens at one time only.

    Attributes
    ----------
    registrations
        By month from 2010-07: users, percent without prefecture, percent female.
    registration_peaks
        Registrations of single days.
    registrations_in_test_week
        Of those in 2012-06, how many come in the test week.
    withdrawals
        By month from 2011-07.
    week_coupons
        Released by week from 2011-06-26.
    test_coupons
        Released in the test week.
    test_genres
        Coupons of the test week by genre.
    test_weekdays
        The same by weekday, Sunday first.
    test_display_days
        The same by days on display; None if they are like those of other weeks.
    month_genre_share
        Share of some genres by month from 2011-06.
    month_display_mean, month_long_share
        Mean days on display and share of seven and more, by month from 2011-06.
    month_purchases
        By month from 2011-07.
    week_purchases
        By week from ``published.WEEK_PURCHASES_FROM``.
    has_campaigns, has_late_lessons
        Whether there are promotions, and whether lessons get new capsules in June.
    """

    registrations: tuple = published.REGISTRATIONS
    registration_peaks: Mapping[str, int] = field(
        default_factory=lambda: published.REGISTRATION_PEAKS
    )
    registrations_in_test_week: float = published.TEST_WEEK_REGISTRATIONS
    withdrawals: tuple = published.WITHDRAWALS
    week_coupons: tuple = published.WEEK_COUPONS
    test_coupons: float = published.TEST_COUPONS
    test_genres: Mapping[str, float] = field(
        default_factory=lambda: published.GENRE_TEST_COUPONS
    )
    test_weekdays: tuple = published.TEST_DAY_COUPONS
    test_display_days: Mapping[int, int] | None = field(
        default_factory=lambda: published.TEST_DISPLAY_DAYS
    )
    month_genre_share: Mapping[str, tuple] = field(
        default_factory=lambda: published.MONTH_GENRE_SHARE
    )
    month_display_mean: tuple = published.MONTH_DISPLAY_MEAN
    month_long_share: tuple = published.MONTH_LONG_SHARE
    month_purchases: tuple = published.MONTH_PURCHASES
    week_purchases: tuple = published.WEEK_PURCHASES
    has_campaigns: bool = True
    has_late_lessons: bool = True


PUBLISHED = Year()


def steady() -> Year:
    """Return a year in which every week is like the others.

    Yearly totals stay as published; there are no seasons, promotions or peaks.
    """
    users = np.array([row[0] for row in published.REGISTRATIONS], dtype=float)
    unknown = np.average([row[1] for row in published.REGISTRATIONS], weights=users)
    female = np.average([row[2] for row in published.REGISTRATIONS], weights=users)
    by_month = float(users.mean())
    # The first week is the end of one: its coupons are as published.
    whole_weeks = len(published.WEEK_COUPONS) - 1
    by_week = (published.TRAIN_COUPONS - published.WEEK_COUPONS[0]) / whole_weeks
    by_day = published.PURCHASES / DAYS_IN_LOG
    n_display_months = len(published.MONTH_DISPLAY_MEAN)
    return Year(
        registrations=tuple((by_month, unknown, female) for _ in users),
        registration_peaks={},
        registrations_in_test_week=by_month * 7 / 30,
        withdrawals=tuple(1 for _ in published.WITHDRAWALS),
        week_coupons=(
            published.WEEK_COUPONS[0],
            *(by_week for _ in range(whole_weeks)),
        ),
        test_coupons=by_week,
        test_genres=published.GENRE_COUPONS,
        test_weekdays=published.WEEKDAY_RELEASES,
        test_display_days=None,
        month_genre_share={},
        month_display_mean=(float(np.mean(published.MONTH_DISPLAY_MEAN)),)
        * n_display_months,
        month_long_share=(float(np.mean(published.MONTH_LONG_SHARE)),)
        * n_display_months,
        month_purchases=tuple(by_day * MONTH_DAYS),
        week_purchases=(by_day * 7,) * len(published.WEEK_PURCHASES),
        has_campaigns=False,
        has_late_lessons=False,
    )
