"""The door to Spark without Spark: settings, translated queries, ranks, workers."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
import sqlglot
import yaml
from build_features import make_training_set
from dbt.config.renderer import ProfileRenderer
from dbt_common.context import set_invocation_context
from small_models import small

from ml import score, train
from ml.evaluate import evaluate, read_context
from ml.explain import explained
from ml.grid import ScoredGrid
from ml.models import MEMBERS
from ml.models.blend import Blend
from ml.pairs import (
    Candidates,
    encode,
    in_order_of_hashes,
    places_of,
    read_candidates,
    read_evaluated_users,
    read_labels,
)
from ml.publish import KEPT_RANKS, Run, publish
from ml.reasons import ReasonWriter
from ml.registry import model_text
from ml.scoring import ranks_of
from ml.settings import PROJECT_DIR
from ml.spark import queries
from ml.spark.profile import OF_DBT_SPARK, session_settings
from ml.spark.session import check_metastore, first_line, packed_code
from ml.spark.sql import spark_sql
from ml.spark.workers import Explainer, Scorer, restored
from ml.warehouse import Column, Warehouse, WarehouseError, open_warehouse

LABELLED = dt.date(2012, 6, 10)


# The settings


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"SPARK_MASTER_URL": "spark://10.0.0.1:7077", "SPARK_PARTITIONS": "12"},
        {"SPARK_WAREHOUSE_DIR": "here/there", "SPARK_METASTORE_DIR": ""},
    ],
)
def test_the_session_has_the_settings_that_dbt_renders(variables, monkeypatch):
    for name in list(os.environ):
        if name.startswith("SPARK_"):
            monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    profile = yaml.safe_load((PROJECT_DIR / "profiles.yml").read_text("utf-8"))
    set_invocation_context(os.environ)
    of_dbt = ProfileRenderer({}).render_data(profile)["ponpare"]["outputs"]["spark"]
    expected = {k: str(v) for k, v in of_dbt["server_side_parameters"].items()}
    assert session_settings() == expected | OF_DBT_SPARK
    assert len(expected) > 10


def test_the_default_engine_needs_no_spark_and_the_other_says_what_to_do(capsys):
    assert train.main(["--target", "spark"]) == 1
    assert "run `make spark`" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        train.main(["--target", "oracle"])


def test_workers_import_ml_from_the_packed_code(tmp_path):
    packed = packed_code(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", "import ml.spark.workers as w; print(w.__file__)"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(packed)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == f"{packed}/ml/spark/workers.py"


# The queries


@pytest.fixture
def sent(monkeypatch) -> dict[str, list | None]:
    """Every query that is asked of DuckDB, held against what Spark would be asked.

    What is sent to Spark is translated back and asked as well: if a translation says
    something else, the answers differ.
    """
    seen: dict[str, list | None] = {}
    rows, table = Warehouse.rows, Warehouse.table

    def there_and_back(query: str) -> str:
        return sqlglot.transpile(spark_sql(query), read="spark", write="duckdb")[0]

    def is_question(query: str) -> bool:
        return query.split(maxsplit=1)[0].lower() in {"select", "with"}

    def checked_rows(self, query, parameters=None):
        answer = rows(self, query, parameters)
        if is_question(query):
            seen[query] = parameters
            assert rows(self, there_and_back(query), parameters) == answer, query
        return answer

    def checked_table(self, query, parameters=None):
        seen[query] = parameters
        given = answer = table(self, query, parameters)
        back = table(self, there_and_back(query), parameters)
        keys = [(name, "ascending") for name in answer.column_names if "id" in name]
        assert back.schema == answer.schema, query
        if keys:
            back, answer = back.sort_by(keys), answer.sort_by(keys)
        assert back == answer, query
        return given

    monkeypatch.setattr(Warehouse, "rows", checked_rows)
    monkeypatch.setattr(Warehouse, "table", checked_table)
    return seen


def test_every_query_of_training_and_scoring_says_the_same_on_spark(
    sent, trained_world_in_use, capsys
):
    train.train(LABELLED)
    score.score_cutoff()
    asked = " ".join(sent)
    for table in (
        *("ml.training_pairs", "ml.column_roles", "features.cutoffs", "ml.model_files"),
        *("features.feature_users", "core.dim_users", "ml.model_registry"),
        *("ml.model_settings", "features.feature_user_coupon_views"),
    ):
        assert table in asked
    assert len(sent) > 25


def test_a_query_whose_order_would_be_lost_is_refused():
    with pytest.raises(sqlglot.UnsupportedError, match="loses its order"):
        spark_sql("select a from t qualify a = max(a) over () order by a")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            'select "rank" from ml.t where d = ? order by 1',
            "SELECT `rank` FROM `ml`.`t` WHERE `d` = ? ORDER BY 1 NULLS LAST",
        ),
        (
            "select cast(? as varchar) as a, cast(? as timestamp) as b from t",
            "SELECT CAST(? AS STRING) AS `a`, CAST(? AS TIMESTAMP_NTZ) AS `b` FROM `t`",
        ),
    ],
)
def test_queries_are_translated(query, expected):
    assert spark_sql(query) == expected


# Ranks and what is published, by the queries that Spark is asked

#: Numbered against the order of the hashes.
COUPONS = {4: "a", 3: "b", 2: "c", 1: "d"}
USERS = {1: "y", 2: "x"}
THEN, NOW, LATER = (dt.date(2012, 6, day) for day in (3, 10, 17))


@pytest.fixture
def warehouse() -> Warehouse:
    """Dimensions and the tables that publishing writes, with runs on two data."""
    connection = duckdb.connect()
    connection.execute(
        """
        create schema core;
        create schema staging;
        create schema ml;
        create table core.dim_users (user_id integer, user_hash varchar);
        create table core.dim_coupons (coupon_id integer, coupon_hash varchar);
        create table staging.data_fingerprint as select 'now' as data_fingerprint;
        create table ml.build_fingerprint as select 'now' as data_fingerprint;
        create table ml.model_runs
            (run_id varchar, data_fingerprint varchar, finished_at timestamp);
        create table ml.model_cards (run_id varchar);
        create table ml.model_metrics (run_id varchar);
        create table ml.purchase_scores (
            cutoff_date date, user_hash varchar, coupon_hash varchar, score double,
            rank integer, model_name varchar, run_id varchar, scored_at timestamp
        );
        create table ml.score_reasons (
            cutoff_date date, user_hash varchar, coupon_hash varchar, run_id varchar,
            reasons varchar
        );
        insert into ml.model_runs values ('r', 'now', null), ('other', 'before', null);
        """
    )
    connection.executemany("insert into core.dim_users values (?, ?)", USERS.items())
    connection.executemany(
        "insert into core.dim_coupons values (?, ?)", COUPONS.items()
    )
    return Warehouse(connection)


def test_equal_scores_are_ranked_by_the_hash_and_never_by_the_number(warehouse):
    scored = pa.table(
        {
            "user_id": [1, 1, 1, 1, 2, 2, 2, 2],
            "coupon_id": [1, 2, 3, 4, 1, 2, 3, 4],
            "score": pa.array([0.5, 0.5, 0.9, 0.5, 0.1, 0.2, 0.2, 0.1], pa.float32()),
        }
    )
    with warehouse.registered("scored_pairs", scored):
        ranked = warehouse.rows(
            f"select user_hash, coupon_hash, rank from ({queries.RANKED_PAIRS}) "
            "order by user_hash, rank"
        )
    assert ranked == [
        *(("x", "b", 1), ("x", "c", 2), ("x", "a", 3), ("x", "d", 4)),
        *(("y", "b", 1), ("y", "a", 2), ("y", "c", 3), ("y", "d", 4)),
    ]
    # as where the columns of a grid are in the order of the hashes
    grid = np.array([[0.1, 0.2, 0.2, 0.1], [0.5, 0.9, 0.5, 0.5]], dtype=np.float32)
    assert ranks_of(grid).tolist() == [[3, 1, 2, 4], [2, 1, 3, 4]]


def old_rows(cutoff: dt.date, run_id: str) -> list[tuple]:
    """Return scores of an earlier run, two of them below the ranks that are kept."""
    ranks = [1, KEPT_RANKS, KEPT_RANKS + 1, KEPT_RANKS + 9]
    return [
        (cutoff, "x", f"{run_id}{rank}", 1 / rank, rank, "m", run_id, None)
        for rank in ranks
    ]


@pytest.mark.parametrize(
    "old",
    [
        [],
        old_rows(THEN, "r"),
        old_rows(LATER, "r"),
        old_rows(NOW, "r") + old_rows(THEN, "r"),
        old_rows(THEN, "other") + old_rows(LATER, "other"),
        old_rows(THEN, "r") + old_rows(LATER, "r") + old_rows(NOW, "other"),
    ],
    ids=["none", "earlier", "later", "same", "other_data", "mixed"],
)
def test_spark_keeps_the_scores_and_reasons_that_duckdb_keeps(warehouse, old):
    n_coupons = KEPT_RANKS + 5
    coupon_ids = np.arange(100, 100 + n_coupons, dtype=np.int32)
    warehouse.connection.executemany(
        "insert into core.dim_coupons values (?, ?)",
        [(int(i), f"new{i:04d}") for i in coupon_ids],
    )
    for row in old:
        warehouse.rows(
            "insert into ml.purchase_scores values (?, ?, ?, ?, ?, ?, ?, ?)", list(row)
        )
        warehouse.rows(
            "insert into ml.score_reasons values (?, ?, ?, ?, 'old')",
            [*row[:3], row[6]],
        )
    candidates = Candidates(NOW, np.array([2, 1], dtype=np.int32), coupon_ids)
    scores = np.random.default_rng(0).random(candidates.shape, dtype=np.float32)
    ranks = ranks_of(scores)
    rows, columns = (part.ravel() for part in np.indices(scores.shape))
    top = pa.table(
        {"user_id": [1, 2], "coupon_id": coupon_ids[:2], "reasons": ["w"] * 2}
    )
    scored = pa.table(
        {
            "user_id": candidates.user_ids[rows],
            "coupon_id": coupon_ids[columns],
            "score": scores.ravel(),
        }
    )
    given = [NOW, "m", "r", "2012-06-10T01:02:03"]
    with warehouse.registered("scored_pairs", scored):
        ranked = warehouse.table(queries.RANKED_PAIRS)
    with (
        warehouse.registered("ranked_pairs", ranked),
        warehouse.registered("explained_pairs", top),
    ):
        asked = {
            "purchase_scores": warehouse.table(
                queries.NEW_SCORES, [*given, "now", NOW]
            ),
            "score_reasons": warehouse.table(
                queries.NEW_REASONS, [NOW, "r", "now", NOW]
            ),
        }
    publish(warehouse, Run("r", "now", "m", candidates, scores, ranks, reasons=top))
    for table, found in asked.items():
        with warehouse.registered("found", found):
            for one, other in (("found", f"ml.{table}"), (f"ml.{table}", "found")):
                columns = ", ".join(
                    name for name in found.column_names if name != "scored_at"
                )
                assert not warehouse.rows(
                    f"select {columns} from {one} except all "
                    f"select {columns} from {other}"
                )
    assert len(asked["purchase_scores"]) >= 2 * KEPT_RANKS


def test_rows_are_appended_by_name_and_updated_where_columns_hold_values(warehouse):
    warehouse.append("score_reasons", pa.table({"run_id": ["r"], "user_hash": ["x"]}))
    warehouse.append("score_reasons", pa.table({"reasons": ["w"], "run_id": ["r"]}))
    warehouse.update(
        "score_reasons",
        {"cutoff_date": NOW, "coupon_hash": "a"},
        where={"run_id": "r", "reasons": None},
    )
    assert warehouse.rows("from ml.score_reasons order by user_hash nulls last") == [
        (NOW, "x", "a", "r", None),
        (None, None, None, "r", "w"),
    ]


# The workers


class Sent:
    """What a worker is handed instead of Spark's broadcast and accumulator."""

    def __init__(self, value):
        self.value = value

    def add(self, more):
        self.value += more


@pytest.fixture(scope="module")
def fitted() -> dict:
    """A blend after two of its members, as a training fits them."""
    training = make_training_set()
    names = list(MEMBERS)[:2]
    models = {name: small(name).fit(training) for name in names}
    blend = Blend(
        weights=dict.fromkeys(names, 1.0),
        parameters_of={name: models[name].parameters() for name in names},
    )
    return models | {"blend": blend.adopt(models).fit(training)}


def batches_of_pairs() -> list[pa.RecordBatch]:
    """Return pairs as the mart holds them, in two batches, one row with nulls."""
    generator = np.random.default_rng(1)
    n = 60
    pairs = pa.table(
        {
            "user_id": pa.array(np.arange(n) // 6, pa.int32()),
            "coupon_id": pa.array(np.arange(n) % 6, pa.int32()),
            "expected_buyers": 20 * generator.random(n),
            "profile_cosine": [None, *generator.random(n - 1)],
            "user_age": pa.array(20 + np.arange(n) // 6, pa.int16()),
            "noise": generator.random(n),
            "genre": ["food", "spa", None, "new"] * (n // 4),
            "user_sex": ["female"] * 30 + ["male"] * 30,
            "competition_cosine": generator.random(n),
        }
    )
    return pairs.to_batches(max_chunksize=41)


def test_workers_score_as_the_driver_would(fitted):
    scorer = Scorer(
        Sent(tuple(model_text(model) for model in fitted.values())),
        {name: Sent(0.0) for name in fitted},
    )
    batches = batches_of_pairs()
    found = pa.Table.from_batches(scorer(iter(batches)))
    assert found.column_names == ["user_id", "coupon_id", *fitted]
    assert found["coupon_id"].to_pylist() == [i % 6 for i in range(60)]
    for name, model in fitted.items():
        features = encode(pa.Table.from_batches(batches), model.contract_)
        assert found.schema.field(name).type == pa.float32()
        assert np.array_equal(found[name].to_numpy(), model.predict(features))
        assert scorer.seconds[name].value > 0


def test_workers_ask_the_members_of_a_blend_once(fitted):
    *members, blend = restored(tuple(model_text(model) for model in fitted.values()))
    assert [id(member) for member in members] == [
        id(member) for member in blend.members_.values()
    ]


@pytest.mark.parametrize("with_lacking", [False, True])
def test_workers_give_the_reasons_that_the_driver_would(fitted, with_lacking):
    columns = [
        Column("expected_buyers", "feature", "pair", "double", "popular", "high"),
        Column("user_age", "feature", "user", "smallint", "young", "low"),
    ]
    averages = np.array([7.0, 0.5, 25.0, 0.0])
    blend = fitted["blend"]
    explainer = Explainer(Sent((model_text(blend, averages),)), columns, with_lacking)
    batches = batches_of_pairs()
    found = pa.Table.from_batches(explainer(iter(batches)))
    writer = ReasonWriter(blend, columns, averages)
    expected = pa.Table.from_batches(
        explained(writer, batch, encode(batch, blend.contract_), with_lacking)
        for batch in batches
    )
    assert found == expected
    assert set(found["reasons"].to_pylist()) > {"popular"}
    assert ("lacking_reasons" in found.column_names) is with_lacking


# The users who are evaluated


class Small(Warehouse):
    """A warehouse that hands over few users."""

    max_evaluated_users = 50


def test_users_are_drawn_by_their_hash_where_there_are_too_many(one_run_world_in_use):
    with open_warehouse(read_only=True) as everyone:
        few = Small(everyone.connection)
        ((n_users,),) = few.rows("select count(*) from core.dim_users")
        sample = read_evaluated_users(few)
        everyone_in_order = in_order_of_hashes(few, "user")
        assert read_evaluated_users(everyone) is None
        few.max_evaluated_users = n_users
        assert read_evaluated_users(few) is None
        few.max_evaluated_users = n_users - 1
        assert set(sample) < set(read_evaluated_users(few))
    assert n_users > len(sample) == 50
    assert (np.diff(places_of(everyone_in_order, sample)) > 0).all()


def test_a_sample_is_measured_as_those_users_among_all(one_run_world_in_use):
    """A mean over the sample is the mean of its users' values in the whole grid."""
    with open_warehouse(read_only=True) as warehouse:
        candidates = read_candidates(warehouse, LABELLED)
        scores = np.random.default_rng(0).random(candidates.shape, dtype=np.float32)
        sample = read_evaluated_users(Small(warehouse.connection))
        everyone = in_order_of_hashes(warehouse, "user")
        is_drawn = np.isin(candidates.user_ids, sample)
        drawn = Candidates(
            LABELLED, candidates.user_ids[is_drawn], candidates.coupon_ids
        )
        measured, per_user = {}, {}
        for name, grid in {
            "all": ScoredGrid(candidates, {"m": scores}),
            "drawn": ScoredGrid(drawn, {"m": scores[is_drawn]}, sample=sample),
        }.items():
            rows, per_user[name] = evaluate(
                grid,
                read_labels(warehouse, grid.candidates),
                read_context(warehouse, grid),
                {"m": 0.5},
                "m",
            )
            measured[name] = {(row.metric, row.slice): row.value for row in rows}
    precision = per_user["all"].precision["m"][np.isin(everyone, sample)]
    assert np.array_equal(per_user["drawn"].precision["m"], precision)
    assert precision.any()
    assert measured["drawn"]["map_at_10", "all"] == pytest.approx(precision.mean())
    assert measured["drawn"]["evaluated_users", "sample"] == 50
    assert ("evaluated_users", "sample") not in measured["all"]


def test_a_profile_without_a_needed_variable_is_one_sentence(tmp_path, monkeypatch):
    profile = tmp_path / "profiles.yml"
    profile.write_text(
        "ponpare: {outputs: {spark: {server_side_parameters: "
        "{spark.master: \"{{ env_var('NOT_SET_ANYWHERE') }}\"}}}}"
    )
    monkeypatch.setattr("ml.spark.profile.PROFILES", profile)
    with pytest.raises(WarehouseError, match="NOT_SET_ANYWHERE"):
        session_settings()


HOLD = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    print("locked", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """Let another process lock a file, as Derby does."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout.readline() == "locked\n"
        yield
        holder.communicate()


def test_a_metastore_that_another_process_has_is_one_sentence(tmp_path):
    chosen = {
        "spark.hadoop.javax.jdo.option.ConnectionURL": "jdbc:derby:;databaseName=m;x=y",
        "spark.driver.extraJavaOptions": f"-Dderby.system.home={tmp_path}",
    }
    check_metastore(chosen)
    lock = tmp_path / "m" / "dbex.lck"
    lock.parent.mkdir()
    lock.touch()
    check_metastore(chosen)
    with held(lock):
        with pytest.raises(WarehouseError, match="in use by another process"):
            check_metastore(chosen)
        check_metastore(
            chosen | {"spark.hadoop.javax.jdo.option.ConnectionURL": "jdbc:mysql://x"}
        )
    check_metastore(chosen)


def test_the_settings_of_the_profile_name_a_metastore_that_is_looked_at(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("SPARK_METASTORE_DIR", str(tmp_path))
    (tmp_path / "metastore").mkdir()
    lock = tmp_path / "metastore" / "dbex.lck"
    lock.touch()
    with held(lock), pytest.raises(WarehouseError, match=str(tmp_path)):
        check_metastore(session_settings())


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("[TABLE_NOT_FOUND] no t\n\tat org.apache", "[TABLE_NOT_FOUND] no t"),
        (
            "An error occurred while calling None.x.\n: java.lang.E: gone\n\tat y",
            "java.lang.E: gone",
        ),
        ("", "ValueError"),
    ],
)
def test_the_first_line_of_an_error_is_what_it_says(said, expected):
    assert first_line(ValueError(said)) == expected
