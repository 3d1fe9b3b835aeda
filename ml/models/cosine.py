"""Cosine similarity: the competition's own benchmark."""

from __future__ import annotations

from ml.models.single_feature import SingleFeatureModel


class Cosine(SingleFeatureModel):
    """Ranks coupons by their likeness to the user's decayed purchase profile.

    The similarity itself is a feature of the mart (``profile_cosine``): the cosine
    between the user's profile and the coupon over genre, large area, prefecture and
    small area.
    """

    name = "cosine"
    feature = "profile_cosine"
