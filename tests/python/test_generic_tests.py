"""The project's own generic tests: each must pass on good rows and fail on bad ones.

A project of its own holds the generic tests, a few tiny models and one test per case.
dbt runs it once, and what each test found is compared with what it should find.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from warehouses import DBT

from ml.settings import PROJECT_DIR

GENERIC_TESTS = PROJECT_DIR / "tests" / "generic"

#: Rows of the models that the cases are about: key, word, number.
MODELS = {
    "filled": "(1, 'a', 10), (2, 'b', 20), (3, 'c', 30)",
    "with_null": "(1, 'a', 10), (2, null, 20), (3, 'c', null)",
    "with_empty": "(1, 'a', 10), (2, '', 20), (3, '', 30)",
    "repeated": "(1, 'a', 10), (1, 'a', 20), (1, 'b', 30), (2, 'b', 10)",
    "repeated_null": "(1, null, 10), (1, null, 20), (2, null, 30)",
    "single": "(1, 'a', 10)",
    "nothing": "(null, null, null)",
}
#: A model without rows needs a filter besides its types.
FILTERS = {"nothing": "where false"}


@dataclass(frozen=True)
class Case:
    """One use of a generic test, and how many rows it should find fault with."""

    test: str
    says: str
    model: str
    n_faults: int
    arguments: dict = field(default_factory=dict)
    column: str | None = None

    @property
    def name(self) -> str:
        return f"{self.test}_{self.says.replace(' ', '_')}"

    @property
    def passes(self) -> bool:
        return self.n_faults == 0


def complete_rows(says: str, model: str, n_faults: int, columns: list[str]) -> Case:
    return Case("complete_rows", says, model, n_faults, {"columns": columns})


def unique_combination(
    says: str, model: str, n_faults: int, columns: list[str]
) -> Case:
    return Case("unique_combination", says, model, n_faults, {"columns": columns})


def equal_row_count(says: str, model: str, n_faults: int, other: str) -> Case:
    return Case(
        "equal_row_count", says, model, n_faults, {"compare_model": f"ref('{other}')"}
    )


def in_range(says: str, model: str, n_faults: int, **bounds) -> Case:
    return Case("in_range", says, model, n_faults, bounds, column="number")


CASES = [
    complete_rows("all filled", "filled", 0, ["key", "word", "number"]),
    complete_rows("null", "with_null", 1, ["word"]),
    complete_rows("null in either column", "with_null", 2, ["word", "number"]),
    complete_rows("null in another column", "with_null", 0, ["key"]),
    complete_rows("empty text", "with_empty", 2, ["word"]),
    unique_combination("one column", "filled", 0, ["key"]),
    unique_combination("one column repeated", "repeated", 1, ["key"]),
    unique_combination("two columns", "repeated", 0, ["word", "number"]),
    unique_combination("two columns repeated", "repeated", 1, ["key", "word"]),
    # two nulls are the same value
    unique_combination("null repeated", "repeated_null", 1, ["key", "word"]),
    # no column: all rows are one group
    unique_combination("a single row", "single", 0, ["true"]),
    unique_combination("more than a single row", "filled", 1, ["true"]),
    equal_row_count("as many", "filled", 0, "with_null"),
    equal_row_count("fewer", "single", 1, "filled"),
    equal_row_count("more", "repeated", 1, "filled"),
    equal_row_count("none of some", "nothing", 1, "filled"),
    in_range("bounds included", "filled", 0, min_value=10, max_value=30),
    in_range("below and above", "filled", 2, min_value=11, max_value=29),
    in_range("lower bound only", "filled", 0, min_value=10),
    in_range("below lower bound", "filled", 2, min_value=21),
    in_range("upper bound only", "filled", 0, max_value=30),
    in_range("above upper bound", "filled", 1, max_value=29),
    in_range("null is no fault", "with_null", 0, min_value=10, max_value=20),
    in_range("another column as bound", "filled", 0, min_value="10 * key"),
    in_range("beyond another column", "repeated", 2, max_value="10 * key"),
]


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> dict[str, tuple[str, int]]:
    """Status and number of faulty rows of each case, by its name."""
    project = tmp_path_factory.mktemp("generic_tests")
    write_project(project)
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DBT_", "PONPARE_"))
    }
    done = subprocess.run(
        [str(DBT), "build", "--no-use-colors", "--profiles-dir", str(project)],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, f"no test failed:\n{done.stdout}\n{done.stderr}"
    results = json.loads((project / "target" / "run_results.json").read_text())
    return {
        result["unique_id"].split(".")[2]: (result["status"], result["failures"])
        for result in results["results"]
        if result["unique_id"].startswith("test.")
    }


def write_project(project: Path) -> None:
    """Write a dbt project whose only tests are the cases."""
    (project / "models").mkdir()
    shutil.copytree(GENERIC_TESTS, project / "tests" / "generic")
    (project / "macros").mkdir()
    # what the tests look at in an incremental build
    shutil.copy(PROJECT_DIR / "macros" / "incremental.sql", project / "macros")
    for name, rows in MODELS.items():
        (project / "models" / f"{name}.sql").write_text(
            "select cast(key as integer) as key, cast(word as varchar) as word, "
            "cast(number as integer) as number "
            f"from (values {rows}) as made (key, word, number) {FILTERS.get(name, '')}"
        )
    files = {
        "dbt_project.yml": {
            "name": "generic_tests",
            "profile": "generic_tests",
            "vars": {"incremental": False},
            "flags": {
                "send_anonymous_usage_stats": False,
                "require_generic_test_arguments_property": True,
            },
        },
        "profiles.yml": {
            "generic_tests": {
                "target": "dev",
                "outputs": {"dev": {"type": "duckdb", "path": "cases.duckdb"}},
            }
        },
        "models/cases.yml": {"models": [_model(name) for name in MODELS]},
    }
    for name, content in files.items():
        (project / name).write_text(yaml.safe_dump(content))


def _model(name: str) -> dict:
    """Return the YAML of one model with its cases."""
    model: dict = {"name": name, "data_tests": [], "columns": []}
    for case in CASES:
        if case.model == name:
            test = {case.test: {"name": case.name, "arguments": case.arguments}}
            if case.column is None:
                model["data_tests"].append(test)
            else:
                model["columns"].append({"name": case.column, "data_tests": [test]})
    model["columns"] = _merged(model["columns"])
    return model


def _merged(columns: list[dict]) -> list[dict]:
    """Return each column once, with all its tests."""
    tests: dict[str, list] = {}
    for column in columns:
        tests.setdefault(column["name"], []).extend(column["data_tests"])
    return [{"name": name, "data_tests": found} for name, found in tests.items()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_finds_the_faulty_rows_and_no_others(found, case):
    assert found[case.name] == ("pass" if case.passes else "fail", case.n_faults)


def test_every_generic_test_has_a_passing_and_a_failing_case():
    tests = {path.stem for path in GENERIC_TESTS.glob("*.sql")}
    assert tests == {case.test for case in CASES if case.passes}
    assert tests == {case.test for case in CASES if not case.passes}


def test_a_file_holds_the_generic_test_of_its_name():
    for path in GENERIC_TESTS.glob("*.sql"):
        assert "{% test " + path.stem + "(" in path.read_text(), path.name
