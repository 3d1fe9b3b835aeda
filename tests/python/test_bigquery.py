"""Every query as BigQuery would take it, without an account: docs/bigquery.md."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import duckdb
import pytest

from ml import export_raw, raw_files
from ml.bigquery_bytes import LEAST_BYTES, billed_bytes, estimate, table_bytes
from ml.settings import PROJECT_DIR
from ml.warehouse import Warehouse

BIN = PROJECT_DIR / ".venv-bigquery" / "bin"
ANALYSE = PROJECT_DIR / "tests" / "bigquery" / "analyse.py"
SOURCE = {
    "relation_name": "`p`.`raw`.`visits`",
    "columns": {
        "user_hash": {"data_type": None},
        "n_pages": {"data_type": "bigint"},
    },
}
#: What DuckDB takes and BigQuery does not, and what is said of it.
REFUSED = {
    "function": ("select favg(n_pages) as x from {visits}", "favg"),
    "column": ("select user_id from {visits}", "Unrecognized name: user_id"),
    "table": ("select 1 as x from `p`.`raw`.`nowhere`", "Table not found"),
    "type": ("select cast(n_pages as double) as x from {visits}", "double"),
    "union": ("select 1 as x union select 2", "DISTINCT"),
    "text_compared_with_number": ("select n_pages = user_hash as x from {visits}", "="),
    "alias_of_the_same_select": ("select 1 as a, a + 1 as b from {visits}", "a"),
    "filter": ("select count(*) filter (where true) as n from {visits}", "("),
    "engine_macros_give_known_values": ("select 1 as x", "not those of DuckDB"),
    "reading_what_a_model_lacks": ("select pages from `p`.`core`.`good`", "pages"),
}


@pytest.fixture(scope="module")
def bigquery() -> Path:
    if not (BIN.parent / "installed").is_file():
        pytest.skip("there is no .venv-bigquery (`make bigquery`): nothing is compiled")
    return BIN


def query(name: str, sql: str, kind: str = "test", reads: tuple[str, ...] = ()) -> dict:
    return {
        "resource_type": kind,
        "name": name,
        "original_file_path": f"{kind}s/{name}.sql",
        "relation_name": f"`p`.`core`.`{name}`",
        "compiled_code": sql.format(visits=SOURCE["relation_name"]),
        "depends_on": {"nodes": list(reads)},
    }


def analyse(bigquery: Path, manifest: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [bigquery / "python", ANALYSE, manifest, "--root", PROJECT_DIR],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.full
def test_bigquery_would_take_every_query(bigquery, tmp_path):
    target = tmp_path / "target"
    compiled = subprocess.run(
        [
            *(bigquery / "dbt", "compile", "--target", "bigquery"),
            *("--no-populate-cache", "--no-introspect", "--quiet"),
            *("--target-path", target, "--log-path", tmp_path / "logs"),
        ],
        cwd=PROJECT_DIR,
        # no account: a token that nobody asks about, for nothing is sent
        env={
            **os.environ,
            "BIGQUERY_METHOD": "oauth-secrets",
            "BIGQUERY_TOKEN": "none",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert compiled.returncode == 0, compiled.stdout
    manifest = target / "manifest.json"
    nodes = json.loads(manifest.read_text(encoding="utf-8"))["nodes"].values()
    n_queries = sum(
        node["resource_type"] in {"model", "test", "analysis"} for node in nodes
    )
    done = analyse(bigquery, manifest)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == f"{n_queries} queries, 0 that BigQuery would refuse\n"
    assert n_queries > 1000


@pytest.mark.full
def test_what_bigquery_does_not_know_is_found(bigquery, tmp_path):
    good = query("good", "select user_hash, n_pages from {visits}", "model")
    nodes = {"good": good} | {
        name: query(name, sql, reads=("good",)) for name, (sql, _) in REFUSED.items()
    }
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps({"sources": {"visits": SOURCE}, "nodes": nodes}))
    done = analyse(bigquery, manifest)
    assert done.returncode == 1, done.stderr
    *found, total = done.stdout.splitlines()
    assert (
        total
        == f"{len(REFUSED) + 1} queries, {len(REFUSED)} that BigQuery would refuse"
    )
    for line, (name, (_, reason)) in zip(found, REFUSED.items(), strict=True):
        assert line.startswith(f"tests/{name}.sql {name}: ")
        assert reason in line.split(": ", 1)[1]


def test_raw_files_become_parquet_as_the_warehouse_reads_them(
    sample_dir, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("PONPARE_DATA_DIR", str(sample_dir))
    monkeypatch.setenv("PONPARE_CACHE", str(tmp_path / "cache"))
    assert export_raw.main(["--out", str(tmp_path / "out")]) == 0
    names = {path.stem for path in (tmp_path / "out").iterdir()}
    declared = {source.name for source in raw_files.declared_sources()}
    assert names == declared | {
        *("source_files", "file_states", "malformed_rows", "project_code"),
    }
    with duckdb.connect() as connection:
        path = tmp_path / "out" / "user_list.parquet"
        described = connection.execute(f"describe from '{path}'").fetchall()
        assert {row[0]: row[1] for row in described} == {
            **dict.fromkeys(
                ["REG_DATE", "SEX_ID", "AGE", "WITHDRAW_DATE", "PREF_NAME"], "VARCHAR"
            ),
            "USER_ID_hash": "VARCHAR",
            "file_line": "BIGINT",
        }
        rows = connection.execute(
            f"select min(file_line), max(file_line), count(*) from '{path}'"
        ).fetchall()
    n_users = len((sample_dir / "user_list.csv").read_text().splitlines()) - 1
    assert rows == [(2, n_users + 1, n_users)]
    assert f"{n_users} rows" in capsys.readouterr().out


def test_an_unusable_directory_writes_no_parquet(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PONPARE_DATA_DIR", str(tmp_path / "nowhere"))
    assert export_raw.main(["--out", str(tmp_path / "out")]) == 1
    assert "nowhere" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_query_is_billed_for_the_tables_behind_its_views():
    def node(schema: str, materialized: str, *reads: str) -> dict:
        return {
            "schema": schema,
            "alias": schema,
            "config": {"materialized": materialized},
            "depends_on": {"nodes": list(reads)},
        }

    nodes = {
        "large": node("large", "table"),
        "small": node("small", "table"),
        "view": node("view", "view", "large", "source.p.p.log", "source.p.p.list"),
        "model": node("model", "table", "view", "small", "large"),
    }
    sizes = {"large.large": 3 * LEAST_BYTES, "small.small": 1}
    sizes |= {"raw.log": 4 * LEAST_BYTES, "raw.list": 1}
    # the large table and the log by their bytes, the small table and list by the least
    assert billed_bytes("model", nodes, sizes) == 9 * LEAST_BYTES
    for name, node_of_name in nodes.items():
        node_of_name["resource_type"] = "test" if name == "small" else "model"
    # large and small read nothing
    assert estimate(nodes, sizes) == {
        "models": (3, (8 + 9) * LEAST_BYTES),
        "data tests": (1, 0),
    }


def test_tables_have_the_sizes_of_bigquery_types():
    with duckdb.connect() as connection:
        connection.execute("create schema core")
        connection.execute(
            "create table core.t as select * from (values (1::smallint, '가a', true), "
            "(null, '', false)) as v (number, words, flag)"
        )
        connection.execute(
            "create schema raw; create table raw.source_files as "
            "select 'user_list' as file_name, 77::bigint as n_bytes"
        )
        # a number of 8 bytes, two texts of 2 and one of them 4 more, two truth values
        assert table_bytes(Warehouse(connection)) == {
            "core.t": 8 + 8 + 2,
            "raw.source_files": 2 + 9 + 8,
            "raw.user_list": 77,
        }
