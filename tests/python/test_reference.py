"""The yardstick that must not move: its features by hand, its settings, its digest."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator

import duckdb
import numpy as np
import pytest
from build_features import CONTRACT, make_training_set

from ml.pairs import Candidates, read_training_set, stream_candidates
from ml.reference import model as reference
from ml.reference.model import FrozenReference
from ml.reference.pairs import FEATURES, FEATURES_SQL, make_pairs
from ml.warehouse import Warehouse, open_warehouse

CUTOFF, NEXT = dt.date(2012, 3, 4), dt.date(2012, 3, 11)
#: Of features.sql as it was compared with the first version, value by value: see
#: docs/decisions/0019.
DIGEST = "69ca379c2eccc6ff40da406652fc3b3419b77348067a367830c0fd676ab270a0"

#: Two users, two shops. What happens at the cutoff itself is not known at it; the sale
#: of coupon 21 starts with the target week, that of 22 with its end.
SMALL_WORLD = """
create schema core; create schema features; create schema intermediate;
create schema ml;
create table features.cutoffs as
select
    date '2012-03-04' as cutoff_date,
    timestamp '2012-03-04' as cutoff_at,
    timestamp '2012-03-11' as target_end_at
union all select date '2012-03-11', timestamp '2012-03-11', timestamp '2012-03-18';
create table core.dim_users (
    user_id integer, user_hash varchar, sex varchar, age integer,
    prefecture varchar, prefecture_status varchar,
    registered_at timestamp, withdrawn_at timestamp
);
insert into core.dim_users values
(1, 'a', 'f', 34, 'tokyo', 'registered', '2012-02-03 10:00', '2012-03-03 23:59:59'),
(2, 'b', 'm', 50, null, 'not_registered', '2012-03-03 23:59:59', '2012-03-04'),
(3, 'c', 'm', 20, 'tokyo', 'registered', '2012-03-04', null);
create table core.dim_coupons (
    coupon_id integer, coupon_hash varchar, shop_key_id integer, genre varchar,
    large_area varchar, prefecture varchar, small_area varchar,
    catalog_price_yen integer, discount_price_yen integer,
    sale_start_at timestamp, sale_end_at timestamp,
    display_days integer, valid_days integer, valid_from_date date,
    usable_on_monday varchar, usable_on_tuesday varchar, usable_on_sunday varchar,
    capsule varchar default 'c', usable_on_wednesday varchar default 'usable',
    usable_on_thursday varchar default 'usable',
    usable_on_friday varchar default 'usable',
    usable_on_saturday varchar default 'usable',
    usable_on_holiday varchar default 'not_usable',
    usable_on_day_before_holiday varchar default 'conditional'
);
insert into core.dim_coupons
(
    coupon_id, coupon_hash, shop_key_id, genre, large_area, prefecture, small_area,
    catalog_price_yen, discount_price_yen, sale_start_at, sale_end_at, display_days,
    valid_days, valid_from_date, usable_on_monday, usable_on_tuesday, usable_on_sunday
) values
(10, 'p', 7, 'food', 'east', 'tokyo', 'ginza', 2000, 1000, '2012-02-26',
    '2012-03-02', 5, 30, '2012-03-01', 'usable', 'usable', 'usable'),
(11, 'q', 8, 'spa', 'west', 'osaka', null, 4000, 3000, '2012-02-28',
    '2012-03-14', 15, 30, '2012-03-01', 'usable', 'usable', 'usable'),
(20, 'r', 7, 'food', 'east', 'tokyo', 'ginza', 2000, 1000, '2012-03-05',
    '2012-03-08', 3, 30, '2012-03-09', 'usable', 'conditional', 'not_usable'),
(21, 's', 9, 'spa', 'west', 'osaka', 'umeda', 0, 0, '2012-03-04',
    '2012-03-20', 16, null, null, 'no_day_rule', 'usable', 'usable'),
(22, 't', 7, 'food', 'east', 'tokyo', 'ginza', 2000, 1000, '2012-03-11',
    '2012-03-20', 9, 30, '2012-03-20', 'usable', 'usable', 'usable'),
(23, 'u', 10, 'hotel', 'west', 'osaka', 'umeda', 9000, 5000, '2012-03-17',
    '2012-03-20', 3, 30, '2012-03-20', 'usable', 'usable', 'usable');
create table core.fct_purchases (
    user_id integer, coupon_id integer, spend_yen bigint, purchased_at timestamp,
    is_listed_user boolean, is_listed_coupon boolean
);
insert into core.fct_purchases values
(1, 10, 2000, '2012-02-27 12:00', true, true),
(1, 11, 3000, '2012-03-03 23:59:59', true, true),
(1, 11, 3000, '2012-03-04 00:00:00', true, true),
(2, 10, 1000, '2012-02-01 00:00:00', true, true),
(4, 10, 1000, '2012-02-27 00:00:00', false, true),
(1, 99, null, '2012-02-27 00:00:00', true, false);
create table core.bridge_coupon_areas as
select 21 as coupon_id, 'kanda' as small_area, 'tokyo' as prefecture
union all select 21, 'sakura', null;
create table intermediate.int_prefecture_distances as
select 'tokyo' as user_prefecture, 'osaka' as coupon_prefecture, 400.0 as distance_km
union all select 'tokyo', 'tokyo', 0.0;
create table ml.training_pairs (
    cutoff_date date, user_id integer, coupon_id integer, label boolean,
    weight double, is_viewed boolean
);
insert into ml.training_pairs values
('2012-03-04', 1, 20, true, 1.0, null),
('2012-03-04', 2, 21, false, 4.0, null),
('2012-03-11', 1, 22, true, 1.0, null);
"""
# half after 90 days
OLD, NEW = round(10000 * 0.5 ** (5.5 / 90)), 10000
FOOD, SPA = OLD / (OLD + NEW), NEW / (OLD + NEW)
#: Weights 2 (genre), 1 (large area), 4 (prefecture), 2 (small area).
NORM = (9 * FOOD**2 + 9 * SPA**2) ** 0.5
OF_USER_1 = {
    "user_sex": "f",
    "user_age": 34,
    "is_prefecture_known": True,
    "user_tenure_days": 30,
    "is_withdrawn": True,
    "n_user_purchases": 2,
    "n_user_purchases_28d": 2,
    "user_spend_yen": 5000,
    "user_mean_price_yen": 2000,
    "days_since_last_purchase": 0,
}
OF_USER_2 = {
    "user_sex": "m",
    "user_age": 50,
    "is_prefecture_known": False,
    "user_tenure_days": 1,
    "is_withdrawn": False,
    "n_user_purchases": 1,
    "n_user_purchases_28d": 0,
    "user_spend_yen": 1000,
    "user_mean_price_yen": 1000,
    "days_since_last_purchase": 32,
}
OF_COUPON_20 = {
    "genre": "food",
    "capsule": "c",
    "large_area": "east",
    "catalog_price_yen": 2000,
    "discount_price_yen": 1000,
    "saving_yen": 1000,
    "discount_share": 0.5,
    "sale_hours_in_week": 72,
    "release_day_of_week": 1,
    "display_days": 3,
    "valid_days": 30,
    "days_until_valid": 4,
    "has_day_rule": True,
    "usable_on_saturday": "usable",
    "usable_on_sunday": "not_usable",
    "usable_on_holiday": "not_usable",
    # monday, wednesday to saturday; tuesday and the day before a holiday
    "n_usable_days": 5,
    "n_conditional_days": 2,
    "n_shop_issues": 1,
    "n_shop_issues_on_sale": 0,
    "days_since_last_shop_issue": 7,
    "shop_buyers_per_issue": 2,
    # two buyers in five days, which are shrunken towards themselves
    "genre_buyers_per_day": 0.4,
    "coupon_buyers_per_day": 0.4,
    "expected_buyers": 1.2,
}
OF_COUPON_21 = {
    "genre": "spa",
    "capsule": "c",
    "large_area": "west",
    "catalog_price_yen": 0,
    "discount_price_yen": 0,
    "saving_yen": 0,
    "discount_share": None,
    "sale_hours_in_week": 168,
    "release_day_of_week": 0,
    "display_days": 16,
    "valid_days": None,
    "days_until_valid": None,
    "has_day_rule": False,
    "usable_on_saturday": "usable",
    "usable_on_sunday": "usable",
    "usable_on_holiday": "not_usable",
    "n_usable_days": 6,
    "n_conditional_days": 1,
    "n_shop_issues": 0,
    "n_shop_issues_on_sale": 0,
    "days_since_last_shop_issue": None,
    "shop_buyers_per_issue": None,
    # one buyer in the five days from 28 February to the cutoff; no shop of its own
    "genre_buyers_per_day": 0.2,
    "coupon_buyers_per_day": 0.2,
    "expected_buyers": 1.4,
}
OF_PAIRS = {
    (1, 20): {
        "is_same_prefecture": True,
        "is_listed_in_prefecture": True,
        "distance_km": 0,
        "genre_purchase_share": 0.5,
        "prefecture_purchase_share": 0.5,
        "small_area_purchase_share": 0.5,
        "n_shop_purchases": 1,
        "days_since_shop_purchase": 5,
        "price_to_user_mean_ratio": 0.5,
        "profile_cosine": 9 * FOOD / (NORM * 3),
    },
    (1, 21): {
        "is_same_prefecture": False,
        # it is listed in kanda
        "is_listed_in_prefecture": True,
        "distance_km": 400,
        "genre_purchase_share": 0.5,
        "prefecture_purchase_share": 0.5,
        # what was bought has no small area
        "small_area_purchase_share": 0,
        "n_shop_purchases": 0,
        "days_since_shop_purchase": None,
        "price_to_user_mean_ratio": 0,
        "profile_cosine": 7 * SPA / (NORM * 3),
    },
    (2, 20): {
        # the first version knew no prefecture but the registered one
        "is_same_prefecture": None,
        "is_listed_in_prefecture": None,
        "distance_km": None,
        "genre_purchase_share": 1,
        "prefecture_purchase_share": 1,
        "small_area_purchase_share": 1,
        "n_shop_purchases": 1,
        "days_since_shop_purchase": 32,
        "price_to_user_mean_ratio": 1,
        "profile_cosine": 1,
    },
    (2, 21): {
        "is_same_prefecture": None,
        "is_listed_in_prefecture": None,
        "distance_km": None,
        "genre_purchase_share": 0,
        "prefecture_purchase_share": 0,
        "small_area_purchase_share": 0,
        "n_shop_purchases": 0,
        "days_since_shop_purchase": None,
        "price_to_user_mean_ratio": 0,
        "profile_cosine": 0,
    },
}


#: A week later, users 1 (three purchases) and 3 (none) and coupons 22 and 23.
NEXT_WEEK = {
    (1, 22): {
        "n_user_purchases": 3,
        "user_spend_yen": 8000,
        "user_tenure_days": 37,
        "is_withdrawn": True,
        "genre_purchase_share": 1 / 3,
        "prefecture_purchase_share": 1 / 3,
        "n_shop_purchases": 1,
        "days_since_shop_purchase": 12,
        "n_shop_issues": 2,
        "n_shop_issues_on_sale": 0,
        "days_since_last_shop_issue": 6,
        "shop_buyers_per_issue": 1,
        # two buyers in five and three days
        "genre_buyers_per_day": 0.25,
        "sale_hours_in_week": 168,
        "expected_buyers": 1.75,
    },
    (1, 23): {
        "genre_purchase_share": 0,
        "prefecture_purchase_share": 2 / 3,
        "sale_hours_in_week": 24,
        "release_day_of_week": 6,
        "is_same_prefecture": False,
        "is_listed_in_prefecture": False,
        # nobody has sold a hotel yet
        "genre_buyers_per_day": 0,
        "expected_buyers": 0,
    },
    (3, 22): {
        "n_user_purchases": 0,
        "n_user_purchases_28d": 0,
        "user_spend_yen": 0,
        "user_mean_price_yen": None,
        "days_since_last_purchase": None,
        "price_to_user_mean_ratio": None,
        "user_tenure_days": 7,
        "is_withdrawn": False,
        "is_same_prefecture": True,
        "is_listed_in_prefecture": True,
        "genre_purchase_share": 0,
        "n_shop_purchases": 0,
        "profile_cosine": 0,
    },
}


@pytest.fixture(scope="module")
def small_world() -> Iterator[Warehouse]:
    with duckdb.connect() as connection:
        connection.execute(SMALL_WORLD)
        yield Warehouse(connection)


def rounded(values: dict) -> dict:
    return {
        name: pytest.approx(value) if isinstance(value, float) else value
        for name, value in values.items()
    }


def features_of(warehouse: Warehouse, mart: str, day: dt.date) -> dict[tuple, dict]:
    names = [name for of_level in FEATURES.values() for name in of_level]
    columns = ", ".join(("user_id", "coupon_id", *names))
    return {
        row[:2]: dict(zip(names, row[2:], strict=True))
        for row in warehouse.rows(
            f"select {columns} from {mart} where cutoff_date = ?", [day]
        )
    }


def test_features_by_hand(small_world):
    contract = make_pairs(small_world, [CUTOFF], NEXT)
    users, coupons = {1: OF_USER_1, 2: OF_USER_2}, {20: OF_COUPON_20, 21: OF_COUPON_21}
    assert features_of(small_world, contract.scoring_mart, CUTOFF) == {
        (user, coupon): rounded(users[user] | coupons[coupon] | of_pair)
        for (user, coupon), of_pair in OF_PAIRS.items()
    }


def test_features_of_the_next_week_by_hand(small_world):
    contract = make_pairs(small_world, [CUTOFF], NEXT)
    found = features_of(small_world, contract.scoring_mart, NEXT)
    assert set(found) == {(user, coupon) for user in (1, 2, 3) for coupon in (22, 23)}
    for pair, expected in NEXT_WEEK.items():
        assert {name: found[pair][name] for name in expected} == rounded(expected)


def test_training_and_scoring_read_the_same_features(small_world):
    contract = make_pairs(small_world, [CUTOFF], CUTOFF)
    training = read_training_set(small_world, contract, [CUTOFF])
    assert training.user_id.tolist() == [1, 2]
    assert training.coupon_id.tolist() == [20, 21]
    assert training.label.tolist() == [True, False]
    assert training.weight.tolist() == [1, 4]
    grid = Candidates(CUTOFF, np.array([1, 2]), np.array([20, 21]))
    scored = {
        (row, column): features.values[i]
        for rows, columns, features in stream_candidates(small_world, contract, grid)
        for i, (row, column) in enumerate(zip(rows, columns, strict=True))
    }
    assert len(scored) == grid.n_pairs
    for i, place in enumerate([(0, 0), (1, 1)]):
        np.testing.assert_array_equal(training.features.values[i], scored[place])
    names = contract.names
    assert scored[0, 0][names.index("expected_buyers")] == pytest.approx(1.2)
    assert contract.categories["genre"] == ("food", "spa")
    assert scored[1, 1][names.index("genre")] == 1


def test_a_genre_that_comes_later_is_unknown(small_world):
    contract = make_pairs(small_world, [CUTOFF], NEXT)
    grid = Candidates(NEXT, np.array([1, 2, 3]), np.array([22, 23]))
    ((_, coupons, features),) = stream_candidates(small_world, contract, grid)
    hotel = coupons == 1
    assert np.isnan(features.values[hotel, contract.names.index("genre")]).all()
    assert (features.values[~hotel, contract.names.index("genre")] == 0).all()


def test_a_lost_pair_is_not_made_up(small_world):
    contract = make_pairs(small_world, [CUTOFF], CUTOFF)
    small_world.connection.execute(
        "delete from reference_users where user_id = 2 and cutoff_date = '2012-03-04'"
    )
    with pytest.raises(RuntimeError, match="holds 1 pairs, expected 2"):
        read_training_set(small_world, contract, [CUTOFF])


def test_the_curve_knows_the_users_features(sample_world, monkeypatch):
    monkeypatch.setattr(reference, "N_SEEDS", 1)
    day = dt.date(2012, 6, 10)
    with open_warehouse(sample_world.database, read_only=True) as warehouse:
        contract = make_pairs(warehouse, [day], day)
        training = read_training_set(warehouse, contract, [day])
    model = FrozenReference().fit(training)
    assert set(model.members_[0].curve_.encoder_.sources_) == set(FEATURES["user"])


def test_facts_are_those_of_the_marts(sample_world):
    """Features that have not changed since have the marts' values, pair by pair."""
    changed = {
        # another chain of records, smoothed rates instead of shares, rarity in the
        # cosine, and a prefecture that is inferred where none is registered
        *("coupon_buyers_per_day", "expected_buyers", "genre_purchase_share"),
        *("prefecture_purchase_share", "small_area_purchase_share"),
        *("days_since_shop_purchase", "profile_cosine", "is_same_prefecture"),
        *("is_listed_in_prefecture", "distance_km", "has_day_rule"),
    }
    same = [n for of in FEATURES.values() for n in of if n not in changed]
    with open_warehouse(sample_world.database, read_only=True) as warehouse:
        contract = make_pairs(warehouse, [dt.date(2012, 6, 10)], dt.date(2012, 6, 17))
        for ours, theirs, day in (
            (contract.training_mart, "ml.training_pairs", "2012-06-10"),
            (contract.scoring_mart, "ml.scoring_pairs", "2012-06-17"),
        ):
            differing = " + ".join(
                f"count(*) filter (where ours.{name} is distinct from theirs.{name} "
                + (
                    ""
                    if name in contract.categories
                    else f"and coalesce(abs(ours.{name}::double - theirs.{name}"
                    f"::double) > 1e-9 * abs(theirs.{name}::double), true)"
                )
                + ")"
                for name in same
            )
            ((n_ours, n_both, n_theirs, n_differing),) = warehouse.rows(
                f"select count(ours.user_id), count(*) filter (where ours.user_id "
                f"= theirs.user_id), count(theirs.user_id), {differing} "
                f"from (from {ours} where cutoff_date = '{day}') as ours full join "
                f"(from {theirs} where cutoff_date = '{day}') as theirs "
                "using (user_id, coupon_id)"
            )
            assert n_ours == n_both == n_theirs > 0
            assert n_differing == 0


def test_nobody_has_changed_the_features():
    assert hashlib.sha256(FEATURES_SQL.read_bytes()).hexdigest() == DIGEST, (
        "ml/reference/features.sql is frozen: new features belong into the marts."
    )


def test_it_is_the_mean_of_five_seeds():
    training = make_training_set()
    model = FrozenReference().fit(training)
    seeds = [member.random_state for member in model.members_]
    assert seeds == [0, 1, 2, 3, 4]
    predicted = [member.predict(training.features) for member in model.members_]
    # the seeds differ
    assert len({p.tobytes() for p in predicted}) == reference.N_SEEDS
    assert model.predict(training.features) == pytest.approx(
        np.mean(predicted, axis=0), rel=1e-6
    )
    assert model.contract_ == CONTRACT
    assert FrozenReference(7).fit(training).members_[0].random_state == 7


def test_its_settings_are_those_of_lightgbm_as_it_comes():
    model = FrozenReference().fit(make_training_set())
    lines = model.members_[0].booster_.model_to_string().splitlines()
    found = dict(
        line.strip("[]").split(": ", 1)
        for line in lines
        if line.startswith("[")
        if ": " in line
    )
    expected = {
        "num_iterations": 100,
        "learning_rate": 0.1,
        "num_leaves": 31,
        "min_data_in_leaf": 20,
        "lambda_l1": 0,
        "lambda_l2": 0,
        "feature_fraction": 1,
        "bagging_fraction": 1,
        "max_bin": 255,
        "max_depth": -1,
        "cat_smooth": 10,
    }
    assert {name: float(found[name]) for name in expected} == expected
