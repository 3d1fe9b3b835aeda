"""Parts of the sample world: plans, receipts, habits and steering, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ml.sample_data import calendar, published, steering
from ml.sample_data.activity import presence_by_week, wanted_purchases
from ml.sample_data.behaviour import within_limit
from ml.sample_data.calendar import HourClock
from ml.sample_data.catalogue import make_coupons
from ml.sample_data.context import Context
from ml.sample_data.demand import Demand, make_demand
from ml.sample_data.events import MOST_IN_WEEK, EventLog, Pairs, Purchases
from ml.sample_data.memory import SATED_AT, SATED_FROM, Memory
from ml.sample_data.names import read_names
from ml.sample_data.plans import PurchasePlan
from ml.sample_data.preferences import Preferences
from ml.sample_data.reach import ODDS_STEP, own_prefecture_shares
from ml.sample_data.receipts import MANY_PLACES, Receipts
from ml.sample_data.users import make_users
from ml.sample_data.world import activity_hours

N_USERS, SEED = 300, 7


@pytest.fixture(scope="module")
def context() -> Context:
    names = read_names()
    return Context(
        names,
        make_users(names, N_USERS, SEED),
        make_coupons(names, N_USERS, SEED),
        SEED,
        HourClock(np.array(activity_hours())),
    )


@pytest.fixture(scope="module")
def demand(context: Context) -> Demand:
    return make_demand(context)


def bought(user: np.ndarray, coupon: np.ndarray) -> Purchases:
    none = np.zeros(len(user), dtype=np.int64)
    return Purchases(none, user, coupon, none, none, none)


# -- demand and plans --------------------------------------------------------------


def test_demand_reaches_the_published_share_of_the_largest_area(
    context: Context, demand: Demand
) -> None:
    kanto = context.names.large_areas.index("kanto")
    area = context.names.prefecture_large_area[context.coupons.prefecture]
    train = ~context.coupons.is_test
    share = demand.pairs[train & (area == kanto)].sum() / demand.pairs[train].sum()
    wanted = published.LARGE_AREA_PURCHASES["kanto"] / 100
    assert share == pytest.approx(wanted, abs=0.03)


def test_planned_buyers_of_a_genre_are_the_expected_ones(
    context: Context, demand: Demand
) -> None:
    plan = PurchasePlan(context, demand)
    genre = context.coupons.genre
    early = context.coupons.sale_end < calendar.TEST_DAY * calendar.DAY_SECONDS
    planned = plan.by_genre().sum(axis=1)
    sure = np.bincount(genre, demand.sure * early, 13)
    expected = np.bincount(genre, demand.pairs * early, 13)
    # Only the certain buyers, and sales that reach beyond the log, are left to chance.
    slack = 4 * np.sqrt(sure + 1) + np.bincount(genre, demand.pairs * ~early, 13)
    assert (np.abs(planned - expected) <= slack).all()


def test_settled_purchases_count_against_the_plan(
    context: Context, demand: Demand
) -> None:
    rng = np.random.default_rng(0)
    plain = PurchasePlan(context, demand).left(rng, 10, np.empty(0, dtype=np.int64))
    coupon = int(np.argmax(plain))
    other = PurchasePlan(context, demand).left(rng, 10, np.array([coupon] * 2))
    assert other[coupon] == max(plain[coupon] - 2, 0)
    # What the coupon cannot pay, its genre pays, but nobody below one buyer.
    genre = context.coupons.genre == context.coupons.genre[coupon]
    many = np.full(int(plain[coupon]) + 3, coupon)
    paid = PurchasePlan(context, demand).left(rng, 10, many)
    assert paid[coupon] == 0
    assert (paid[(plain > 0) & (np.arange(len(plain)) != coupon)] >= 1).all()
    assert (paid[~genre] == plain[~genre]).all()


# -- people ------------------------------------------------------------------------


def test_wanted_purchases_add_up(context: Context) -> None:
    users = context.users
    presence = presence_by_week(users)
    wanted = wanted_purchases(context.names, users, presence, 2000.0)
    assert wanted.sum() == pytest.approx(2000 - (~users.is_late).sum())
    assert (wanted >= 0).all()


def test_own_prefecture_stays_near_the_published_share(context: Context) -> None:
    shares = own_prefecture_shares(
        context.names, context.users, context.coupons, np.ones(N_USERS)
    )
    real = published.genre_array(published.GENRE_OWN_PREFECTURE, context.names.genres)
    assert (np.abs(shares - real) <= ODDS_STEP + 1e-12).all()


def test_tastes_do_not_follow_from_what_the_files_show(
    context: Context, demand: Demand
) -> None:
    """Two users whom no file tells apart want different coupons."""
    tastes = Preferences(context, demand.pairs, np.ones(N_USERS))
    rows = np.flatnonzero(context.coupons.genre == 0)[:200]
    users = context.users
    alike = np.flatnonzero(users.is_female & (users.home_prefecture == 12))
    logs = np.log(tastes.block(rows, alike))
    logs -= logs.mean(axis=0)
    assert len(alike) >= 5
    # Within one genre and place: hidden styles and sensitivity to price remain.
    assert np.corrcoef(logs.T)[np.triu_indices(len(alike), 1)].mean() < 0.8
    assert logs.std(axis=0).min() > 0.2


def test_memory_knows_habits_and_has_enough(context: Context) -> None:
    memory = Memory(context)
    kind = context.coupons.catalog_price * 47 + context.coupons.prefecture
    kind = kind * 13 + context.coupons.genre
    # Promotions make no habit.
    kind[context.coupons.campaign > 0] = -np.arange(
        1, (context.coupons.campaign > 0).sum() + 1
    )
    kinds, size = np.unique(kind, return_counts=True)
    number = int(np.argmax(size))
    same = np.flatnonzero(kind == kinds[number])
    week = int(context.coupons.release_day[same[-1]] // 7)
    memory.remember(0, np.array([3]), same[:1])
    user, item, chance = memory.habit_chances(week)
    assert set(user) == {3}
    assert set(item) <= set(same)
    assert (chance > 0).all()
    memory.n_bought[:3] = (0, (SATED_FROM + SATED_AT) // 2, SATED_AT + 5)
    assert memory.appetite()[:3].tolist() == [1.0, 0.5, 0.0]


# -- receipts ----------------------------------------------------------------------


def test_receipts_bear_listed_areas_and_few_places(context: Context) -> None:
    receipts = Receipts(context)
    rng = np.random.default_rng(2)
    item = rng.integers(0, len(context.coupons), 400)
    user = np.zeros(400, dtype=np.int64)
    area = np.concatenate(
        [receipts.draw(rng, user[i : i + 4], item[i : i + 4]) for i in range(0, 400, 4)]
    )
    listed = context.coupons.area_lists[item, area]
    assert listed.mean() > 0.98
    own = context.coupons.small_area[item]
    assert 0.3 < (area == own).mean() < 0.95
    # Usual pages repeat: far fewer prefectures than shops are in.
    place = context.names.small_area_prefecture
    assert len(np.unique(place[area])) < len(np.unique(place[own]))


def test_receipts_of_one_user_meet_few_prefectures(context: Context) -> None:
    # Coupons that stand everywhere, bought at once by a user who goes anywhere.
    coupons = replace(
        context.coupons, area_lists=np.ones_like(context.coupons.area_lists)
    )
    users = replace(context.users, buying=np.full(N_USERS, 1000.0))
    receipts = Receipts(replace(context, coupons=coupons, users=users))
    area = receipts.draw(
        np.random.default_rng(3), np.zeros(300, dtype=np.int64), np.arange(300) % 5
    )
    met = np.unique(context.names.small_area_prefecture[area])
    assert len(met) == MANY_PLACES < len(context.names.prefectures)


def test_nobody_buys_more_in_a_week_than_the_limit(context: Context) -> None:
    user = np.repeat([0, 1], [MOST_IN_WEEK + 9, 4])
    item = np.arange(len(user))
    log = EventLog(context)
    rng = np.random.default_rng(4)
    week = 20
    kept = within_limit(rng, Pairs.of(user, item, np.full(len(user), 3)))
    assert np.bincount(kept.user).tolist() == [MOST_IN_WEEK, 4]
    none = Pairs.of(*(np.empty(0, dtype=np.int64),) * 3)
    purchases, _ = log.rows(rng, week, kept, none)
    assert (purchases.user == 0).sum() == MOST_IN_WEEK
    assert (purchases.user == 1).sum() >= 4


# -- steering ----------------------------------------------------------------------


@pytest.fixture
def steered(context: Context, monkeypatch: pytest.MonkeyPatch) -> steering.Steering:
    monkeypatch.setattr(steering, "MIN_USERS", N_USERS)
    shares = own_prefecture_shares(
        context.names, context.users, context.coupons, np.ones(N_USERS)
    )
    last = calendar.N_TRAIN_WEEKS
    return steering.Steering(
        context, shares, np.ones((N_USERS, last)), np.full((13, last), 40.0)
    )


def test_who_is_behind_gets_more(context: Context, steered) -> None:
    users = context.users
    known = np.flatnonzero(users.has_prefecture)
    tokyo = context.names.prefectures.index("tokyo")
    behind = known[users.home_prefecture[known] == tokyo]
    ahead = np.setdiff1d(known, behind)
    for _ in range(30):
        steered.observe(bought(ahead, np.zeros(len(ahead), dtype=np.int64)))
    factor = steered.user_factors(30)
    assert factor[behind].mean() > 1.5
    assert factor[behind].mean() > 1.5 * factor[ahead].mean()


def test_a_genre_leans_to_the_sex_it_lacks(context: Context, steered) -> None:
    users, coupons = context.users, context.coupons
    rows = np.flatnonzero(coupons.genre == 0)[:5]
    men = np.flatnonzero(~users.is_female)
    steered.observe(bought(men, np.full(len(men), rows[0])))
    weights = np.ones((len(rows), N_USERS), dtype=np.float32)
    steered.lean(20, weights, rows, np.arange(N_USERS))
    away = users.home_prefecture != coupons.prefecture[rows[1]]
    women = weights[1, users.is_female & away]
    assert (women > 1).all()
    assert weights[1, ~users.is_female & away] == pytest.approx(1)


def test_the_test_week_and_small_worlds_are_not_steered(context: Context, steered):
    men = np.flatnonzero(~context.users.is_female)
    steered.observe(bought(men, np.zeros(len(men), dtype=np.int64)))
    rows = np.arange(4)
    for world, week in ((steered, calendar.TEST_WEEK), (steered, 0)):
        weights = np.ones((4, N_USERS), dtype=np.float32)
        world.lean(week, weights, rows, np.arange(N_USERS))
        assert (weights == 1).all()
        assert (world.user_factors(week) == 1).all()


def test_weekdays_are_steered_to_their_share() -> None:
    days = steering.WeekdaySteering()
    for _ in range(5):
        days.observe(np.repeat([1, 2, 3, 4, 5, 6], 500))
    assert days.factor[0] == max(days.factor) > 1
    assert min(days.factor) < 1
