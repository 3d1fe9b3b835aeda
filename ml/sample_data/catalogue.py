"""Which coupons are on sale: shops, re-issues, prices, places, listing areas."""

from __future__ import annotations

import numpy as np

from ml.sample_data import calendar, campaigns, offers, published, releases
from ml.sample_data.calendar import DAY_SECONDS
from ml.sample_data.coupons import NOON, Coupons, catalogue_scale, price_rates
from ml.sample_data.names import Names
from ml.sample_data.streams import random_hashes, stream
from ml.sample_data.users import N_HIDDEN
from ml.sample_data.year import PUBLISHED, Year

# Part of the variance of quality that re-issues of one offer share.
SHARED_QUALITY = 0.35


def make_coupons(
    names: Names, n_users: int, seed: int, year: Year = PUBLISHED
) -> Coupons:
    """Draw the catalogue for a world of ``n_users`` users."""
    rng = stream(seed, "coupons")
    scale = catalogue_scale(n_users)
    release_day, is_test, genre = releases.releases(rng, names, scale, year)
    shop = releases.shops(rng, names, genre, release_day, is_test)
    n, n_shops = len(shop), int(shop.max()) + 1
    genre_of_shop = np.zeros(n_shops, dtype=np.int64)
    genre_of_shop[shop] = genre

    size_of_shop = np.bincount(shop[~is_test], minlength=n_shops)
    place_of_shop = offers.places(rng, names, genre_of_shop, size_of_shop)
    catalog_of_shop, discount_of_shop = offers.prices(
        rng, names, genre_of_shop, size_of_shop
    )
    capsule_of_shop = offers.capsules(rng, names, genre_of_shop)
    areas_of_shop = offers.areas(rng, names, genre_of_shop, place_of_shop, size_of_shop)
    usable_of_shop = offers.usable(rng, names, genre_of_shop, size_of_shop)
    no_validity = offers.without_validity(
        rng, names, genre_of_shop, size_of_shop, usable_of_shop[:, 0] < 0
    )
    quality_of_shop = np.clip(rng.normal(0, 1, n_shops), -2.5, 2.5)
    hidden_of_shop = rng.normal(0, 1, (n_shops, N_HIDDEN))

    catalog, discount = catalog_of_shop[shop], discount_of_shop[shop]
    capsule = capsule_of_shop[shop]
    if year.has_late_lessons:
        late = (genre == names.genres.index("lesson")) & (
            release_day >= calendar.day_number(published.LATE_LESSONS_FROM)
        )
        new_names = [names.capsules.index(c) for c in published.LATE_LESSONS]
        capsule[late] = rng.choice(new_names, size=int(late.sum()))
    beauty = names.capsules.index("beauty")
    is_misspelt = np.zeros(n, dtype=bool)
    misspelt = np.flatnonzero((capsule == beauty) & ~is_test)
    is_misspelt[misspelt[: 1 if len(misspelt) > 1 else 0]] = True

    display = releases.display_days(rng, names, genre, release_day, is_test, year)
    sale_start = release_day * DAY_SECONDS + NOON
    valid_from, valid_until = offers.validity(
        rng, names, genre, release_day + display, no_validity[shop]
    )
    usable = usable_of_shop[shop]

    coupons = Coupons(
        hashes=random_hashes(stream(seed, "coupon hashes"), n),
        is_test=is_test,
        genre=genre,
        capsule=capsule,
        is_misspelt=is_misspelt,
        small_area=place_of_shop[shop],
        prefecture=names.small_area_prefecture[place_of_shop[shop]],
        catalog_price=catalog,
        discount_price=discount,
        price_rate=np.zeros(n, dtype=np.int64),
        sale_start=sale_start,
        sale_end=sale_start + display * DAY_SECONDS,
        display_days=display,
        valid_from=valid_from,
        valid_until=valid_until,
        usable=usable,
        shop=shop,
        quality=np.sqrt(SHARED_QUALITY) * quality_of_shop[shop]
        + np.sqrt(1 - SHARED_QUALITY) * rng.normal(0, 1, n),
        hidden=hidden_of_shop[shop],
        is_free=np.zeros(n, dtype=bool),
        campaign=np.zeros(n),
        newcomer_pull=np.zeros(n),
        has_areas=np.ones(n, dtype=bool),
        area_lists=areas_of_shop[shop],
    )
    if year.has_campaigns:
        campaigns.campaigns(rng, names, coupons, n_users)
    coupons.price_rate = price_rates(coupons.catalog_price, coupons.discount_price)
    coupons.has_areas = coupons.sale_start >= calendar.FIRST_LOG_DAY * DAY_SECONDS
    return coupons
