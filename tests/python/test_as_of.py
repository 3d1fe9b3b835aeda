"""As-of proof: what is known at a cutoff does not depend on what came after it.

Marts built from all files and marts built from files cut at the cutoff must agree in
every feature of that cutoff; a leak planted into a mart must be found and named.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import as_of
import duckdb
import pytest
from warehouses import (
    World,
    build_marts,
    copy_project,
    cut_files,
    use_small_models,
)

CUTOFFS = [dt.date(2012, 2, 5), dt.date(2012, 4, 22), dt.date(2012, 6, 10)]
#: A build for each takes a while: the last one is enough for `make test`.
LAST_OR_FULL = [
    *(pytest.param(cutoff, marks=pytest.mark.full) for cutoff in CUTOFFS[:-1]),
    CUTOFFS[-1],
]
#: All weeks, so that full and cut files use the same cutoffs for training.
ALL_WEEKS = ("--vars", "{n_cutoffs: 60}")

#: One leak per mart: file, what stands there, what the leak makes of it.
LEAKY_HISTORY = ("ref('int_purchases_before_cutoff')", "ref('int_leaky_purchases')")
BOUGHT_EVER = (
    "(select count(*) from {{ ref('fct_purchases') }} as leak "
    "where leak.coupon_id = %s.coupon_id)"
)
EARLIER_BY_A_WEEK = (
    "from (select * replace (known_from_date - 7 as known_from_date) "
    "from {{ ref('%s') }}) as %s"
)
BASE_LEAKS = {
    "feature_users": LEAKY_HISTORY,
    "feature_coupons": (
        "coupons.catalog_price_yen - coupons.discount_price_yen as saving_yen,",
        f"cast({BOUGHT_EVER % 'coupons'} as integer) as saving_yen,",
    ),
    # coupons of the weeks to come enter the mean length of sale
    "feature_coupon_exposure": ("cutoffs.cutoff_at > coupons.sale_start_at", "true"),
    "feature_coupon_prices": (
        "ref('int_price_levels_before_cutoff')",
        "ref('int_leaky_price_levels')",
    ),
    "feature_coupon_popularity": (
        "ref('int_sales_records_before_cutoff')",
        "ref('int_leaky_records')",
    ),
    **{
        f"feature_user_{attribute}s": (
            "user_attribute_history(",
            "leaky_user_attribute_history(",
        )
        for attribute in (
            *("genre", "capsule", "genre_price_band", "shop"),
            *("large_area", "prefecture", "small_area"),
        )
    },
    "feature_segment_coupons": (
        "ref('int_segment_rates')",
        "ref('int_leaky_segment_rates')",
    ),
    "feature_coupon_profiles": (
        "ref('int_attribute_rarity')",
        "ref('int_leaky_rarity')",
    ),
    "feature_user_places": (
        "ref('int_inferred_prefectures')",
        "ref('int_leaky_inferred_prefectures')",
    ),
    "feature_user_activity": (
        "ref('int_user_activity')",
        "ref('int_leaky_user_activity')",
    ),
    "feature_user_usability": (
        "users.cutoff_date >= weeks.known_from_date",
        "users.cutoff_date + 7 >= weeks.known_from_date",
    ),
    "feature_user_purchases": (
        "users.cutoff_date >= weeks.known_from_date",
        "users.cutoff_date + 7 >= weeks.known_from_date",
    ),
    "feature_user_event_totals": (
        "cutoffs.cutoff_date >= weeks.known_from_date",
        "cutoffs.cutoff_date + 7 >= weeks.known_from_date",
    ),
    "feature_user_coupon_views": (
        "coupons.cutoff_date > weeks.week_start_date",
        "coupons.cutoff_date >= weeks.week_start_date",
    ),
    "feature_user_competition_views": (
        "from {{ ref('int_user_coupon_weeks') }} as events",
        EARLIER_BY_A_WEEK % ("int_user_coupon_weeks", "events"),
    ),
}
SOLD_EVER = "(select count(*) from {{ ref('fct_purchases') }})"
DERIVED_LEAKS = {
    # all that is ever sold is taken for what users bought before
    "feature_coupon_likeness": (
        "coalesce(sums.{{ name }}_likeness",
        f"coalesce((sums.{{{{ name }}}}_likeness + {SOLD_EVER})",
    ),
    "feature_segment_likeness": (
        "{{ segment_likeness(0) }}",
        "{{ leaky_segment_likeness(0) }}",
    ),
    "feature_user_distances": (
        "places.cutoff_date >= weeks.known_from_date",
        "places.cutoff_date + 7 >= weeks.known_from_date",
    ),
    "feature_distance_shares": (
        "places.cutoff_date >= weeks.known_from_date",
        "places.cutoff_date + 7 >= weeks.known_from_date",
    ),
    "feature_newcomers": (
        "sum(weeks.n_buying_weeks)",
        "(sum(weeks.n_buying_weeks) "
        "+ (select count(*) from {{ ref('fct_purchases') }}))",
    ),
    "feature_user_profiles": (
        "    where history.n_purchases > 0",
        "    inner join {{ ref('fct_purchases') }} as leak\n"
        "        on history.user_id = leak.user_id\n"
        "    where history.n_purchases > 0",
    ),
    "scoring_pairs": (
        "{{ pair_features('candidate_pairs') }}",
        "{{ leaky_pair_features('candidate_pairs') }}",
    ),
}
#: Of the copied models, what makes them leak.
LEAKY_COPIES = {
    "models/intermediate/int_leaky_purchases.sql": (
        "models/intermediate/int_purchases_before_cutoff.sql",
        "< cutoffs.cutoff_at",
        "< cutoffs.target_end_at",
    ),
    "models/intermediate/int_leaky_sales.sql": (
        "models/intermediate/int_coupon_sales_before_cutoff.sql",
        "weeks.week_start_date < cutoffs.cutoff_date",
        "weeks.week_start_date <= cutoffs.cutoff_date",
    ),
    "models/intermediate/int_leaky_records.sql": (
        "models/intermediate/int_sales_records_before_cutoff.sql",
        "ref('int_coupon_sales_before_cutoff')",
        "ref('int_leaky_sales')",
    ),
    "models/intermediate/int_leaky_price_levels.sql": (
        "models/intermediate/int_price_levels_before_cutoff.sql",
        "cutoffs.cutoff_at > coupons.sale_start_at",
        "true",
    ),
    "models/intermediate/int_leaky_inferred_prefectures.sql": (
        "models/intermediate/int_inferred_prefectures.sql",
        "cutoffs.cutoff_date >= weeks.known_from_date",
        "cutoffs.target_end_at >= weeks.known_from_date",
    ),
    "models/intermediate/int_leaky_user_activity.sql": (
        "models/intermediate/int_user_activity.sql",
        "cutoffs.cutoff_date > weeks.week_start_date",
        "cutoffs.target_end_at > weeks.week_start_date",
    ),
    "models/intermediate/int_leaky_segment_rates.sql": (
        "models/intermediate/int_segment_rates.sql",
        "segments_with_users.cutoff_date > active_weeks.week_start_date",
        "true",
    ),
    "models/intermediate/int_leaky_rarity.sql": (
        "models/intermediate/int_attribute_rarity.sql",
        "coupons.sale_start_at < cutoffs.cutoff_at",
        "true",
    ),
    "macros/leaky_user_attribute_history.sql": (
        "macros/user_attribute_history.sql",
        "from {{ ref('int_user_attribute_weeks') }} as weeks",
        EARLIER_BY_A_WEEK % ("int_user_attribute_weeks", "weeks"),
    ),
    "macros/leaky_segment_likeness.sql": (
        "macros/segment_likeness.sql",
        "coalesce(sums.coupon_likeness, 0)",
        f"coalesce(sums.coupon_likeness, 0) + 1000000 * {SOLD_EVER}",
    ),
    "macros/leaky_pair_features.sql": (
        "macros/pair_features.sql",
        "coalesce(user_shops.n_purchases, 0) as n_shop_purchases",
        f"cast({BOUGHT_EVER % 'pairs'} as integer) as n_shop_purchases",
    ),
}


@pytest.fixture(scope="module")
def cut_at(sample_world, tmp_path_factory) -> Callable[[dt.date], World]:
    """Give feature marts of a cutoff, from sample files cut at it, built once."""
    return cache(
        lambda cutoff: cut_world(sample_world, tmp_path_factory.mktemp("cut"), cutoff)
    )


def cut_world(full: World, directory: Path, cutoff: dt.date) -> World:
    """Build the feature marts of a cutoff alone from files cut at it."""
    files = cut_files(full.data_dir, directory / str(cutoff), cutoff)
    return build_marts(
        World(files, directory / f"{cutoff}.duckdb"),
        *("--select", "+path:models/marts/features", "+scoring_pairs"),
        *("--vars", "{n_cutoffs: 1}"),
    )


@pytest.mark.parametrize("cutoff", LAST_OR_FULL, ids=str)
def test_features_do_not_depend_on_what_came_after(sample_world, cut_at, cutoff):
    found = as_of.differences(sample_world.database, cut_at(cutoff).database, cutoff)
    assert found == {}


def test_every_feature_mart_is_compared(sample_world):
    marts = {name for _, name in as_of.feature_marts(sample_world.database)}
    assert marts == {*BASE_LEAKS, *DERIVED_LEAKS, "cutoffs"}


@pytest.mark.parametrize("leaks", [BASE_LEAKS, DERIVED_LEAKS], ids=["base", "derived"])
def test_planted_leaks_are_found(sample_world, cut_at, tmp_path, leaks):
    project = copy_project(tmp_path / "project")
    for target, (source, old, new) in LEAKY_COPIES.items():
        text = _replaced(project / source, old, new)
        name = Path(source).stem
        text = text.replace(f"macro {name}(", f"macro leaky_{name}(")
        (project / target).write_text(text, encoding="utf-8")
    for mart, (old, new) in leaks.items():
        (path,) = (project / "models").rglob(f"{mart}.sql")
        path.write_text(_replaced(path, old, new), encoding="utf-8")
    leaky = World(sample_world.data_dir, tmp_path / "leaky.duckdb", project)
    shutil.copy(sample_world.database, leaky.database)
    copies = [Path(path).stem for path in LEAKY_COPIES if path.startswith("models/")]
    leaky.dbt("run", "--select", *copies, *leaks, *ALL_WEEKS)
    cutoff = CUTOFFS[-1]
    found = as_of.differences(leaky.database, cut_at(cutoff).database, cutoff)
    assert set(leaks) <= set(found)


@pytest.mark.full
@pytest.mark.parametrize("cutoff", [CUTOFFS[0], CUTOFFS[-1]], ids=str)
def test_recommendations_do_not_depend_on_what_came_after(
    sample_world, tmp_path, cutoff
):
    files = cut_files(sample_world.data_dir, tmp_path / "files", cutoff)
    cut = build_marts(World(files, tmp_path / "cut.duckdb"), *ALL_WEEKS)
    ranked = []
    for world in (sample_world, use_small_models(cut)):
        world.python("-m", "ml.train", "--cutoff", str(cutoff))
        with duckdb.connect(str(world.database), read_only=True) as connection:
            ranked.append(
                connection.execute(
                    "select user_hash, rank, coupon_hash, score, reasons "
                    "from reporting.recommendations where cutoff_date = ? order by all",
                    [cutoff],
                ).fetchall()
            )
    assert len(ranked[0]) > 1000
    assert ranked[0] == ranked[1]


@pytest.mark.full
@pytest.mark.real
@pytest.mark.parametrize("cutoff", [CUTOFFS[0], CUTOFFS[-1]], ids=str)
def test_features_of_real_files(real_world, tmp_path, cutoff):
    cut = cut_world(real_world, tmp_path, cutoff)
    assert as_of.differences(real_world.database, cut.database, cutoff) == {}


def _replaced(path: Path, old: str, new: str) -> str:
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{path.name} no longer holds {old!r}: plant the leak anew"
    return text.replace(old, new)
