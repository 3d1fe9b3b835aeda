"""A world that changes: tastes, demand and prices shift from one week on.

For the monitoring: scores of a model fitted before the week should be seen to fail.
All choices here are invented.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ml.sample_data import calendar
from ml.sample_data.coupons import Coupons
from ml.sample_data.names import Names
from ml.sample_data.streams import stream
from ml.sample_data.users import Users

PRICE_RISE = 1.35
DEMAND = {"delivery": 0.6, "food": 0.8, "hotel": 1.6, "leisure": 1.7, "gift": 0.6}
KEPT_TASTE = -0.3


@dataclass(frozen=True)
class Drift:
    """A change of the world.

    Attributes
    ----------
    week
        Number of the first changed week.
    """

    week: int

    def _changed(self, coupons: Coupons) -> np.ndarray:
        return coupons.sale_start >= self.week * 7 * calendar.DAY_SECONDS

    def change_prices(self, coupons: Coupons) -> None:
        """Raise the prices of coupons released from the week on."""
        rising = self._changed(coupons) & (coupons.campaign == 0)
        for prices in (coupons.catalog_price, coupons.discount_price):
            prices[rising] = np.round(prices[rising] * PRICE_RISE / 10) * 10

    def genre_factors(self, names: Names, coupons: Coupons) -> np.ndarray:
        """Factor on each coupon's demand."""
        by_genre = np.array([DEMAND.get(genre, 1.0) for genre in names.genres])
        return np.where(self._changed(coupons), by_genre[coupons.genre], 1.0)

    def change_tastes(self, users: Users, seed: int) -> Users:
        """Return the users with the tastes that they have after the change."""
        rng = stream(seed, "drift")
        taste = KEPT_TASTE * users.genre_taste + rng.normal(
            0, 0.75, users.genre_taste.shape
        )
        return replace(
            users,
            genre_taste=taste,
            hidden=rng.normal(0, 1, users.hidden.shape),
            price_sensitivity=users.price_sensitivity + 0.35,
        )
