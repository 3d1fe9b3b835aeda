"""One person's list: published, from the loaded model, for somebody new."""

from __future__ import annotations

import numpy as np
import pytest

from ml import recommend
from ml.answers import LoadedModel, nearest_newcomer, published
from ml.warehouse import open_warehouse

#: What tells a newcomer of today from a user who registered earlier and did nothing.
OF_REGISTRATION = {
    *("user_id", "user_tenure_days", "new_member_days", "buying_week_share"),
}


@pytest.fixture
def warehouse(trained_world_in_use):
    with open_warehouse(read_only=True) as opened:
        yield opened


@pytest.fixture
def cutoff(warehouse):
    return warehouse.cutoffs()[-1].date


def published_users(warehouse) -> list[tuple[int, str]]:
    return warehouse.rows(
        "select distinct user_id, user_hash from core.dim_users "
        "inner join reporting.recommendations using (user_hash) order by user_id"
    )


def test_the_loaded_model_answers_what_was_published(warehouse, cutoff):
    model = LoadedModel(warehouse, cutoff)
    for user_id, _ in published_users(warehouse)[::40]:
        expected = published(warehouse, user_id, cutoff).recommended
        found = model.answer(warehouse, user_id).recommended
        assert [(r.rank, r.coupon_hash, r.reasons) for r in found] == [
            (r.rank, r.coupon_hash, r.reasons) for r in expected
        ]
        assert np.allclose([r.score for r in found], [r.score for r in expected])


def test_a_newcomer_has_the_features_of_a_user_who_did_nothing_yet(warehouse):
    columns = [
        name
        for (name,) in warehouse.rows(
            "select column_name from duckdb_columns() "
            "where schema_name = 'ml' and table_name = 'newcomer_pairs'"
        )
    ]
    different = ", ".join(
        f'count(*) filter (where s."{name}" is distinct from n."{name}")'
        for name in columns
    )
    ((n_pairs, *counts),) = warehouse.rows(
        f"""
        select count(*), {different}
        from features.feature_user_activity as activity
        inner join features.feature_users as users using (cutoff_date, user_id)
        inner join features.feature_newcomers as newcomers
            on newcomers.cutoff_date = users.cutoff_date
            and newcomers.user_sex = users.user_sex
            and newcomers.user_age = users.user_age
            and newcomers.user_prefecture is not distinct from users.user_prefecture
            and newcomers.is_prefecture_known = users.is_prefecture_known
        inner join ml.scoring_pairs as s
            on s.cutoff_date = users.cutoff_date and s.user_id = users.user_id
        inner join ml.newcomer_pairs as n
            on n.cutoff_date = users.cutoff_date
            and n.user_id = newcomers.user_id
            and n.coupon_id = s.coupon_id
        where activity.n_active_weeks = 0 and activity.days_since_last_view is null
        and activity.cutoff_date >= date '2012-05-01'
        """
    )
    assert n_pairs > 10
    found = {name for name, n in zip(columns, counts, strict=True) if n}
    assert {"user_id", "user_tenure_days"} <= found <= OF_REGISTRATION


def test_a_user_is_answered_from_the_table(warehouse, cutoff, capsys):
    _, user_hash = published_users(warehouse)[0]
    assert recommend.main(["--user", user_hash]) == 0
    first, _, *rows = capsys.readouterr().out.splitlines()
    assert first.startswith(f"week from {cutoff}, by reporting.recommendations, blend")
    expected = warehouse.rows(
        "select coupon_hash, reasons from reporting.recommendations "
        "where user_hash = ? and cutoff_date = ? order by rank",
        [user_hash, cutoff],
    )
    assert len(rows) == len(expected) == 10
    for row, (coupon_hash, reasons) in zip(rows, expected, strict=True):
        assert coupon_hash in row
        assert row.endswith(reasons or "nothing stands out")


def test_a_newcomer_is_answered_by_the_model(warehouse, cutoff, capsys):
    ((sex, age, prefecture),) = warehouse.rows(
        "select user_sex, max(user_age), user_prefecture "
        "from features.feature_newcomers where cutoff_date = ? "
        "and is_prefecture_known and user_sex = 'female' "
        "group by all order by all limit 1",
        [cutoff],
    )
    assert nearest_newcomer(warehouse, cutoff, sex, age, prefecture).age == age
    asked = ["--sex", "f", "--age", str(age), "--prefecture"]
    assert recommend.main([*asked, prefecture]) == 0
    by_key = capsys.readouterr()
    assert ", by the model blend of run " in by_key.out
    assert len(by_key.out.splitlines()) == 12
    assert by_key.err == ""
    ((name,),) = warehouse.rows(
        "select prefecture_ko from seeds.prefectures where prefecture = ?", [prefecture]
    )
    assert recommend.main([*asked, name]) == 0
    assert capsys.readouterr().out == by_key.out
    assert (
        recommend.main(["--sex", "f", "--age", "120", "--prefecture", prefecture]) == 0
    )
    older = capsys.readouterr()
    assert older.out == by_key.out
    assert older.err == (
        f"nobody of 120 like that is registered: answered as for {age}\n"
    )


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--user", "x" * 32], "no user of user_list has the hash"),
        (
            ["--sex", "f", "--age", "30", "--prefecture", "Bonn"],
            "Bonn is no prefecture",
        ),
        (["--sex", "f", "--age", "30", "--cutoff", "2012-06-11"], "is not a cutoff"),
        (["--sex", "m", "--age", "30", "--cutoff", "2012-01-01"], "no fitted model"),
    ],
    ids=["user", "prefecture", "cutoff", "model"],
)
def test_what_cannot_be_answered_is_one_sentence(
    trained_world_in_use, asked, said, capsys
):
    assert recommend.main(asked) == 1
    (line,) = capsys.readouterr().err.splitlines()[-1:]
    assert line.startswith("error: ")
    assert said in line


@pytest.mark.parametrize(
    "asked", [[], ["--sex", "f"], ["--user", "x", "--age", "30"]], ids=str
)
def test_a_person_is_named_or_described(asked, capsys):
    with pytest.raises(SystemExit) as left:
        recommend.main(asked)
    assert left.value.code == 2
    assert "give" in capsys.readouterr().err
