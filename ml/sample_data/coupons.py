"""The coupons as arrays, and how many of them a world has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.sample_data import published
from ml.sample_data.calendar import DAY_SECONDS
from ml.sample_data.names import Names

NOON = DAY_SECONDS // 2
# Genres with fewer coupons have means that single coupons would decide.
FEW_COUPONS = 150


@dataclass
class Coupons:
    """One entry per coupon in each array; train coupons first, then test coupons.

    Days and seconds count from week 0 (Sunday 2011-06-26); ``-1`` stands for null.

    Attributes
    ----------
    is_test
        Whether the coupon stands in the test list.
    genre, capsule, small_area, prefecture
        Numbers in `Names`.
    catalog_price, discount_price, price_rate
        Prices in yen, and whole percent off.
    sale_start, sale_end
        Seconds.
    display_days
        Days on display.
    valid_from, valid_until
        Days.
    usable
        Nine flags per coupon, shape (n, 9).
    shop
        Number of the (shop, offer) that re-issues share.
    quality, hidden
        What attracts everyone, and styles that attract some; they stand in no file.
    campaign
        Wanted buyers of a promotion, 0 for an ordinary coupon.
    newcomer_pull
        How much more new members want it, as a multiple.
    has_areas
        Whether the coupon has rows in the area list.
    area_lists
        Listed areas, shape (n, 55).
    """

    hashes: np.ndarray
    is_test: np.ndarray
    genre: np.ndarray
    capsule: np.ndarray
    is_misspelt: np.ndarray
    small_area: np.ndarray
    prefecture: np.ndarray
    catalog_price: np.ndarray
    discount_price: np.ndarray
    price_rate: np.ndarray
    sale_start: np.ndarray
    sale_end: np.ndarray
    display_days: np.ndarray
    valid_from: np.ndarray
    valid_until: np.ndarray
    usable: np.ndarray
    shop: np.ndarray
    quality: np.ndarray
    hidden: np.ndarray
    is_free: np.ndarray
    campaign: np.ndarray
    newcomer_pull: np.ndarray
    has_areas: np.ndarray
    area_lists: np.ndarray

    def __len__(self) -> int:
        return len(self.hashes)

    @property
    def release_day(self) -> np.ndarray:
        """Day on which the sale starts."""
        return self.sale_start // DAY_SECONDS


def catalogue_scale(n_users: int) -> float:
    """Share of the full catalogue that a world of ``n_users`` shows.

    The square root of the share of users, at most 1: a tenth of the users see about
    a third of the coupons, so that small worlds keep both choice and purchases per
    coupon. Larger worlds keep the full catalogue.
    """
    return min(1.0, float(np.sqrt(n_users / published.USERS)))


def price_rates(catalog_price: np.ndarray, discount_price: np.ndarray) -> np.ndarray:
    """Return the saving in whole percent of the list price, rounded down."""
    saving = catalog_price - discount_price
    return np.floor(100 * saving / catalog_price + 1e-9).astype(np.int64)


def price_scores(names: Names, coupons: Coupons) -> np.ndarray:
    """Return the standard score of each coupon's log price within its genre."""
    mean = np.array([published.PRICES[g][0] for g in names.genres])
    sd = np.array([published.PRICES[g][1] for g in names.genres])
    log_price = np.log(np.maximum(coupons.discount_price, 50))
    return (log_price - mean[coupons.genre]) / sd[coupons.genre]
