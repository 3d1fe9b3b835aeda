"""The project on a Spark cluster, and its marts against DuckDB's: docs/spark.md."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import duckdb
import pytest
from compare_marts import differences
from spark_cluster import BIN, environment, spark_cluster
from warehouses import World, build_marts, write_sample

from ml import export_raw
from ml.settings import PROJECT_DIR

N_USERS = 150
SEED = 7
SCHEMAS = ("core", "features", "ml", "reporting")


def dbt(directory: Path, *arguments: str, **variables: str) -> None:
    """Run dbt of .venv-spark; what it leaves stays in the directory."""
    done = subprocess.run(
        [
            *(BIN / "dbt", *arguments, "--target", "spark"),
            *("--target-path", directory / "target", "--log-path", directory / "logs"),
        ],
        cwd=PROJECT_DIR,
        env=environment(
            SPARK_WAREHOUSE_DIR=str(directory / "warehouse"),
            SPARK_METASTORE_DIR=str(directory / "metastore"),
            **variables,
        ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]


#: What another engine may have made of the rows of `MART`, and what is said of it.
MART = [(1, "a", 0.5, 3.0), (1, "a", 0.5, 4.0), (2, None, None, 5.0)]
OTHERS = {
    "order": (MART[::-1], []),
    "last_bits": ([*MART[:2], (2, None, None, 5.000000001)], []),
    "float": ([*MART[:2], (2, None, 0.0, 5.0)], ["m.t.single: 1 differ, as None, 0.0"]),
    "double": (
        [*MART[:2], (2, None, None, 5.1)],
        ["m.t.double: 1 differ, as 5.0, 5.1"],
    ),
    "text": (
        [*MART[:2], (2, "", None, 5.0)],
        [
            "m.t: 1 rows of DuckDB alone, as [(2, None, None, 5.0)]",
            "m.t: 1 rows of Parquet alone, as [(2, '', None, 5.0)]",
        ],
    ),
    "alike": ([MART[0], MART[0], MART[2]], ["m.t.double: 1 differ, as 4.0, 3.0"]),
    "one_row_less": (
        MART[:2],
        ["m.t: 1 rows of DuckDB alone, as [(2, None, None, 5.0)]"],
    ),
    "one_row_more": (
        [*MART, MART[0]],
        ["m.t: 1 rows of Parquet alone", "m.t.double: 1 differ, as 4.0, 3.0"],
    ),
}
COLUMNS = "key integer, word varchar, single float, double double"


def compared(rows: list[tuple], directory: Path, columns: str = COLUMNS) -> list[str]:
    with duckdb.connect() as conn:
        conn.execute(f"create schema m; create table m.t ({COLUMNS})")
        conn.executemany("insert into m.t values (?, ?, ?, ?)", MART)
        conn.execute(f"create table other ({columns})")
        conn.executemany("insert into other values (?, ?, ?, ?)", rows)
        conn.execute(f"copy other to '{directory}/part.parquet'")
        return list(differences(conn, "m.t", directory))


@pytest.mark.parametrize("name", OTHERS)
def test_differences_between_marts_are_found(name, tmp_path):
    rows, expected = OTHERS[name]
    found = compared(rows, tmp_path)
    assert len(found) == len(expected)
    for line, start in zip(found, expected, strict=True):
        assert line.startswith(start)


def test_other_types_and_columns_are_found(tmp_path):
    assert compared(MART, tmp_path, COLUMNS.replace("integer", "bigint")) == []
    (line,) = compared(MART, tmp_path, COLUMNS.replace("float", "double"))
    assert "('single', 'DOUBLE'), ('single', 'FLOAT')" in line
    (line,) = compared(MART, tmp_path, COLUMNS.replace("word", "text"))
    assert "('text', 'VARCHAR'), ('word', 'VARCHAR')" in line


@pytest.mark.full
def test_spark_builds_the_marts_that_duckdb_builds(tmp_path, monkeypatch):
    if not (BIN.parent / "installed").is_file():
        pytest.skip("there is no .venv-spark (`make spark`): nothing is built")
    if shutil.which("java") is None:
        pytest.skip("there is no Java: Spark cannot run")
    world = World(
        write_sample(tmp_path / "sample", users=N_USERS, seed=SEED),
        tmp_path / "sample.duckdb",
    )
    build_marts(world)
    monkeypatch.setenv("PONPARE_DATA_DIR", str(world.data_dir))
    monkeypatch.setenv("PONPARE_CACHE", str(tmp_path / "cache"))
    assert export_raw.main(["--out", str(tmp_path / "raw")]) == 0

    spark = tmp_path / "spark"
    with spark_cluster(tmp_path / "cluster") as address:
        where = {"SPARK_MASTER_URL": address, "SPARK_RAW_DIR": str(tmp_path / "raw")}
        dbt(spark, "build", "--exclude-resource-type", "unit_test", **where)
        results = json.loads((spark / "target" / "run_results.json").read_text())
        arguments = json.dumps({"directory": str(tmp_path / "marts")})
        dbt(spark, "run-operation", "export_marts", "--args", arguments, **where)

    kinds = [result["unique_id"].split(".")[0] for result in results["results"]]
    assert {result["status"] for result in results["results"]} <= {
        "success",
        "pass",
        "no-op",
    }
    assert kinds.count("model") > 100
    assert kinds.count("test") > 1000

    with duckdb.connect() as conn:
        conn.execute(f"attach '{world.database}' as duck (read_only)")
        conn.execute("use duck")
        marts = conn.execute(
            "select table_schema || '.' || table_name from information_schema.tables "
            "where table_catalog = 'duck' and table_schema in $schemas order by all",
            {"schemas": list(SCHEMAS)},
        ).fetchall()
        found = [
            line
            for (mart,) in marts
            for line in differences(conn, mart, tmp_path / "marts" / mart)
        ]
    assert len(marts) > 60
    assert found == []
