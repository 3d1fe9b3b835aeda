"""A world that changes: tastes, prices and what users tell, from one week on.

For the monitoring: what happened before the week is the same to the last row as without
the change. All choices here are invented.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ml.sample_data import calendar
from ml.sample_data.coupons import Coupons, price_rates
from ml.sample_data.streams import stream
from ml.sample_data.users import Users

PRICE_RISE = 1.6
KEPT_TASTE = -0.3
#: Share of new users who hide their prefecture after the change.
HIDDEN_PREFECTURES = 0.97


@dataclass(frozen=True)
class Drift:
    """A change of the world.

    Attributes
    ----------
    week
        Number of the first changed week.
    """

    week: int

    def prices(self, coupons: Coupons) -> Coupons:
        """Return the coupons, those released from the week on at higher prices."""
        first = self.week * 7 * calendar.DAY_SECONDS
        rising = (coupons.sale_start >= first) & (coupons.campaign == 0)

        def risen(price: np.ndarray) -> np.ndarray:
            higher = np.round(price * PRICE_RISE / 10) * 10
            return np.where(rising, higher, price).astype(price.dtype)

        catalog, discount = risen(coupons.catalog_price), risen(coupons.discount_price)
        return replace(
            coupons,
            catalog_price=catalog,
            discount_price=discount,
            price_rate=price_rates(catalog, discount),
        )

    def tastes(self, users: Users, seed: int) -> Users:
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

    def told(self, users: Users, seed: int) -> Users:
        """Return the users as the file shows them: new ones hide their prefecture."""
        hides = stream(seed, "drift of users").random(len(users)) < HIDDEN_PREFECTURES
        hides &= users.registered_week >= self.week
        return replace(users, has_prefecture=users.has_prefecture & ~hides)
