"""Pairs with the features of the first version, as that version made them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from ml.pairs import FeatureContract, read_categories
from ml.warehouse import Warehouse

FEATURES_SQL = Path(__file__).with_name("features.sql")
TRAINING, SCORING = "reference_training_pairs", "reference_scoring_pairs"
#: Features of the user, of the coupon and of the pair.
FEATURES = {
    "user": (
        *("user_sex", "user_age", "is_prefecture_known", "user_tenure_days"),
        *("is_withdrawn", "n_user_purchases", "n_user_purchases_28d"),
        *("user_spend_yen", "user_mean_price_yen", "days_since_last_purchase"),
    ),
    "coupon": (
        *("genre", "capsule", "large_area", "catalog_price_yen", "discount_price_yen"),
        *("saving_yen", "discount_share", "sale_hours_in_week", "release_day_of_week"),
        *("display_days", "valid_days", "days_until_valid", "has_day_rule"),
        *("usable_on_saturday", "usable_on_sunday", "usable_on_holiday"),
        *("n_usable_days", "n_conditional_days", "n_shop_issues"),
        *("n_shop_issues_on_sale", "days_since_last_shop_issue"),
        *("shop_buyers_per_issue", "genre_buyers_per_day", "coupon_buyers_per_day"),
        "expected_buyers",
    ),
    "pair": (
        *("is_same_prefecture", "is_listed_in_prefecture", "distance_km"),
        *("genre_purchase_share", "prefecture_purchase_share"),
        *("small_area_purchase_share", "n_shop_purchases", "days_since_shop_purchase"),
        *("price_to_user_mean_ratio", "profile_cosine"),
    ),
}
#: Those that hold categories, by the table that has them.
CATEGORIES = {
    "reference_coupons": (
        *("capsule", "genre", "large_area", "usable_on_holiday", "usable_on_saturday"),
        "usable_on_sunday",
    ),
    "reference_users": ("user_sex",),
}


def make_pairs(
    warehouse: Warehouse, fitted_on: Sequence[dt.date], scored: dt.date
) -> FeatureContract:
    """Make the pairs of some cutoffs, and return what is read of them.

    They are temporary and end with the connection: the warehouse may be read-only.
    """
    days = ", ".join(f"date '{day}'" for day in sorted({*fitted_on, scored}))
    warehouse.connection.execute(
        "create or replace temporary table reference_cutoffs as "
        "select cutoff_date, cutoff_at, target_end_at from features.cutoffs "
        f"where cutoff_date in ({days})"
    )
    warehouse.connection.execute(FEATURES_SQL.read_text(encoding="utf-8"))
    levels = {name: level for level, names in FEATURES.items() for name in names}
    categories: dict[str, tuple[str, ...]] = {}
    for relation, names in CATEGORIES.items():
        categories |= read_categories(warehouse, relation, names, fitted_on)
    return FeatureContract(
        numeric=tuple(name for name in levels if name not in categories),
        categories=categories,
        # the curve of the probabilities knows the group of the users' features
        groups=levels,
        levels=levels,
        training_mart=TRAINING,
        scoring_mart=SCORING,
    )
