"""Small synthetic training sets whose right answer is known."""

from __future__ import annotations

import numpy as np

from ml.pairs import MISSING_CODE, FeatureContract, Features, TrainingSet

CONTRACT = FeatureContract(
    numeric=("expected_buyers", "profile_cosine", "user_age", "noise"),
    categories={"genre": ("food", "spa"), "user_sex": ("female", "male")},
    groups={
        "expected_buyers": "popularity",
        "profile_cosine": "pair",
        "user_age": "user",
        "noise": "coupon",
        "genre": "coupon",
        "user_sex": "user",
    },
    scores=("competition_cosine",),
)
FOOD, SPA = 0, 1
N_USERS, N_COUPONS, N_WEEKS = 150, 12, 3
#: Every so many-th negative is kept, and weighs so much.
NEGATIVE_WEIGHT = 4


def make_contract(
    numeric: tuple[str, ...] = (), categories: dict[str, tuple[str, ...]] | None = None
) -> FeatureContract:
    """Return a contract in which every feature belongs to group ``pair``."""
    categories = categories or {}
    groups = dict.fromkeys(numeric + tuple(categories), "pair")
    return FeatureContract(numeric, categories, groups)


def make_features(
    contract: FeatureContract, rows: list[dict[str, float | str | None]]
) -> Features:
    """Return features from rows by name; what a row leaves out is null."""
    numeric = [
        [np.nan if row.get(name) is None else row[name] for name in contract.numeric]
        for row in rows
    ]
    codes = [
        [
            values.index(row[name]) if row.get(name) in values else MISSING_CODE
            for name, values in contract.categories.items()
        ]
        for row in rows
    ]
    n_rows = len(rows)
    return Features.of(
        contract,
        np.array(numeric, dtype=np.float32).reshape(n_rows, len(contract.numeric)),
        np.array(codes, dtype=np.int16).reshape(n_rows, len(contract.categories)),
        np.array(
            [[row.get(name, 0) for name in contract.scores] for row in rows],
            dtype=np.float32,
        ).reshape(n_rows, len(contract.scores)),
    )


def make_training_set(
    seed: int = 0, cosine_effect: dict[int, float] | None = None
) -> TrainingSet:
    """Return sampled pairs of three weeks, in the order of their keys.

    Purchases grow with ``expected_buyers`` and ``profile_cosine``; ``noise`` has no
    effect. One pair in ten has no ``profile_cosine`` and one in ten no genre.

    Parameters
    ----------
    cosine_effect
        Log-odds per unit of ``profile_cosine`` by code of the genre; 3 by default.
    """
    generator = np.random.default_rng(seed)
    shape = (N_WEEKS, N_USERS, N_COUPONS)
    n = N_WEEKS * N_USERS * N_COUPONS
    week, user, coupon = (part.ravel() for part in np.indices(shape))
    buyers = np.exp(generator.normal(2.0, 1.0, (N_WEEKS, N_COUPONS)))[week, coupon]
    cosine = generator.random(n)
    age = generator.integers(15, 80, N_USERS)[user]
    sex = generator.integers(0, 2, N_USERS)[user]
    genre = generator.integers(FOOD, SPA + 1, (N_WEEKS, N_COUPONS))[week, coupon]
    effect = np.full(n, 3.0)
    for code, value in (cosine_effect or {}).items():
        effect[genre == code] = value
    log_odds = -3.0 + effect * (cosine - 0.5) + 0.8 * (np.log(buyers) - 2.0)
    label = generator.random(n) < 1 / (1 + np.exp(-log_odds))
    weight = np.where(label, 1.0, float(NEGATIVE_WEIGHT))
    numeric = np.column_stack([buyers, cosine, age, generator.normal(size=n)])
    numeric[generator.random(n) < 0.1, 1] = np.nan
    genre = np.where(generator.random(n) < 0.1, MISSING_CODE, genre)
    training = TrainingSet(
        Features.of(
            CONTRACT,
            numeric.astype(np.float32),
            np.column_stack([genre, sex]).astype(np.int16),
            # what the purchases go by, on another scale
            np.expm1(4 * cosine[:, None]).astype(np.float32),
        ),
        label,
        weight,
        np.datetime64("2012-05-06") + 7 * week.astype("timedelta64[D]"),
        user.astype(np.int32),
        coupon.astype(np.int32),
        # what is not bought is looked at by the popularity of the coupon alone
        label | (np.random.default_rng([seed, 1]).random(n) < buyers / 40),
    )
    return training.take(label | (generator.random(n) < 1 / NEGATIVE_WEIGHT))
