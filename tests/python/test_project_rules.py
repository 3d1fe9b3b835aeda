"""Rules of the project, checked over dbt's manifest and over the files themselves.

Each test is one rule. It collects everything that breaks the rule and lists it.
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import duckdb
import pytest
import yaml

from ml.settings import PROJECT_DIR

#: What a model of each layer may read. Intermediate models stand at two places: some
#: prepare the core, others work per cutoff on the core for the features and pairs.
READS = {
    "staging": {"source", "seed", "staging", "quarantine"},
    "quarantine": {"source", "staging", "quarantine"},
    "intermediate": {"seed", "staging", "intermediate", "core"},
    "core": {"seed", "staging", "intermediate", "core"},
    "features": {"intermediate", "core", "features"},
    "ml": {"intermediate", "core", "features", "ml"},
    "reporting": {"quarantine", "core", "features", "ml", "reporting"},
}
#: Models of other layers that a layer may read as well.
ALSO_READS = {
    # the weeks in use, which everything per cutoff starts from
    "intermediate": {"cutoffs"},
    # which data the warehouse was built from: a half-built one is not trained on, and
    # scores of other data are not shown
    "ml": {"data_fingerprint"},
    # distances between prefectures are as fixed as a seed, thresholds are one
    "reporting": {
        *("data_fingerprint", "int_prefecture_distances", "monitor_thresholds"),
    },
}
#: Layers that must not be upstream of a layer, however many models lie between.
NEVER_UPSTREAM = {
    "core": {"features", "ml", "reporting"},
    "features": {"ml", "reporting"},
    "ml": {"reporting"},
}
#: What the fingerprints of int_week_inputs and int_cutoff_inputs are made of, and what
#: decides which cutoffs are built.
HASHED = {
    *("dim_users", "dim_coupons", "bridge_coupon_areas", "fct_purchases", "fct_visits"),
    *("int_prefecture_distances", "data_fingerprint", "int_cutoffs_to_build"),
}
#: A test's SQL that gives another name to what it looks at, or joins it, where columns
#: bear the name of the table that they are of.
NAMED = re.compile(
    r"(looked_at\([^}]*|\{\{\s*model\s*)\}\}"
    r"\s+(as|(left |right |full |inner |cross )?(outer )?join)\b"
    r"|join\s+\{\{\s*(looked_at\(|model\b)"
)
#: What happened in the target week. Nothing that is a feature may descend from it.
OUTCOMES = {"int_positive_pairs", "int_sampled_pairs"}

NAMES = {
    "staging": r"(checked|stg)_\w+|data_fingerprint|built_parts",
    "quarantine": r"quarantined_\w+|input_files",
    "intermediate": r"int_\w+",
    "core": r"(dim|fct|bridge)_\w+",
    "features": r"feature_\w+|cutoffs",
}

#: Models whose grain no test checks, and why.
NO_GRAIN_TEST = {
    "checked_visits": "a view of the visit log; its lines are numbered, as everywhere",
    "stg_visits": "a view of the visit log, which gives views no id",
    "fct_visits": "the visit log gives views no id: the rows have no key",
    "int_purchases_before_cutoff": "a view of purchases times cutoffs; both are unique",
    "scoring_pairs": "a view of millions of pairs; users and coupons are unique",
    "newcomer_pairs": "a view of millions of pairs; newcomers and coupons are unique",
}

PAIR_MARTS = ("training_pairs", "scoring_pairs")
#: Those that hold what is known before the target week only.
SCORED = ("scoring_pairs", "newcomer_pairs", "profiled_pairs")
ROLES = {"key", "label", "weight", "feature", "score", "info"}
#: Columns that would give the outcome away or that name somebody.
NEVER_A_FEATURE = re.compile(
    r"\w+_(id|hash|seed|date|at)|label|weight|is_buyer|is_test_list|is_labelled"
    r"|n_listed_\w+|n_areas|n_coupon_areas|has_(listed_)?areas?|score|rank"
)

EXPOSURES = {
    "train": {"training_pairs", "scoring_pairs"},
    "backtest": {
        *("scoring_pairs", "cutoffs"),
        *re.findall(
            r"\b(?:core|intermediate|ml)\.(\w+)",
            (PROJECT_DIR / "ml/reference/features.sql").read_text(encoding="utf-8"),
        ),
    },
    "submission": {"recommendations", "purchase_scores"},
    "summary": {"model_leaderboard", "recommendations"},
    "monitor": {"alarms"},
    "report": {
        relation
        for path in (PROJECT_DIR / "ml/report/sql").glob("*.sql")
        for relation in re.findall(
            r"\b(?:core|features|ml|reporting|seeds)\.(\w+)",
            path.read_text(encoding="utf-8"),
        )
    },
}

_TEST = {"name", "description", "arguments", "config"}
_META = {
    "role": None,
    "group": None,
    "level": None,
    "null_means": None,
    "nulls": None,
    "cells": None,
    "window": None,
    "reason": None,
    "reason_when": None,
    "reason_limit": None,
    "reason_needs": None,
    "reason_needs_at_most": None,
    "loader": None,
}
_CONSTRAINTS = [{"type": None, "warn_unsupported": None}]
_COLUMN = {
    "name": None,
    "data_type": None,
    "description": None,
    "constraints": _CONSTRAINTS,
    "data_tests": "tests",
    "config": {"meta": _META},
}
#: Models of one shape share a YAML file, so that a column is described once.
SHARED_YAML = {
    **dict.fromkeys({*PAIR_MARTS, *SCORED}, "pairs"),
    **{
        f"feature_user_{attribute}s": "user_attributes"
        for attribute in (
            *("genre", "capsule", "genre_price_band", "shop"),
            *("large_area", "prefecture", "small_area"),
        )
    },
}
_UNIT_TEST = {
    "name": None,
    "description": None,
    "model": None,
    "overrides": {"vars": "any", "macros": "any"},
    "given": [{"input": None, "rows": "any"}],
    "expect": {"rows": "any", "format": None},
}
#: Keys that the YAML files may hold: dbt takes no notice of others. A dictionary lists
#: the keys of a mapping, a list what each of its members may hold, "any" is not looked
#: into, "tests" are uses of tests, None is a plain value.
KEYS = {
    "version": None,
    "models": [
        {
            "name": None,
            "description": None,
            "data_tests": "tests",
            "columns": [_COLUMN],
            "config": {"meta": {}, "tags": "any"},
        }
    ],
    "seeds": [
        {
            "name": None,
            "description": None,
            "data_tests": "tests",
            "columns": [_COLUMN],
            "config": {"column_types": "any"},
        }
    ],
    "sources": [
        {
            "name": None,
            "schema": None,
            "description": None,
            "tables": [
                {
                    "name": None,
                    "description": None,
                    "data_tests": "tests",
                    "columns": [_COLUMN],
                    "config": {"meta": {"required": None, "loader": None}},
                }
            ],
        }
    ],
    "exposures": [
        {
            "name": None,
            "label": None,
            "type": None,
            "maturity": None,
            "description": None,
            "owner": {"name": None},
            "depends_on": "any",
        }
    ],
    "analyses": [
        {
            "name": None,
            "description": None,
            "config": {"meta": {"shown": "any"}},
            "columns": [
                {"name": None, "description": None, "config": {"meta": {"role": None}}}
            ],
        }
    ],
    "data_tests": [{"name": None, "description": None}],
    "macros": [
        {
            "name": None,
            "description": None,
            "arguments": [{"name": None, "type": None, "description": None}],
        }
    ],
    "unit_tests": [_UNIT_TEST],
}

#: Hosts of package registries, in halves so that this file does not name them.
REGISTRY_HOSTS = [
    first + second
    for first, second in (
        ("pypi", ".org"),
        ("python", "hosted"),
        ("files.", "python"),
        ("registry.", "npmjs"),
        ("deb.", "debian"),
    )
]


@pytest.fixture(scope="module")
def models(manifest) -> dict[str, dict]:
    """Models by name."""
    return dict(_of_type(manifest, "model"))


@pytest.fixture(scope="module")
def layers(manifest) -> dict[str, str]:
    """Layer of each model, seed and source, by dbt's unique id."""
    return {
        **{node["unique_id"]: _layer(node) for _, node in _of_type(manifest, "model")},
        **{node["unique_id"]: "seed" for _, node in _of_type(manifest, "seed")},
        **dict.fromkeys(manifest["sources"], "source"),
    }


@pytest.fixture(scope="module")
def pair_columns(models) -> list[tuple[str, dict]]:
    """Columns of both pair marts, with where each is found."""
    return [
        (f"{mart}.{column['name']}", column)
        for mart in PAIR_MARTS
        for column in models[mart]["columns"].values()
    ]


def _of_type(manifest: dict, resource_type: str) -> Iterator[tuple[str, dict]]:
    for node in manifest["nodes"].values():
        if node["resource_type"] == resource_type:
            yield node["name"], node


def none_of(offenders: Iterable[str], rule: str) -> None:
    """Fail with a list of what breaks the rule, if anything does."""
    found = sorted(set(offenders))
    assert not found, f"{rule}:\n  " + "\n  ".join(found)


# Files and descriptions


def test_every_model_has_its_yaml_beside_it(models):
    def expected(name: str, node: dict) -> str:
        folder = Path(node["original_file_path"]).parent
        return str(folder / f"{SHARED_YAML.get(name, name)}.yml")

    none_of(
        (
            f"{name}: {node['patch_path']}, expected {expected(name, node)}"
            for name, node in models.items()
            if node["patch_path"] != f"ponpare://{expected(name, node)}"
        ),
        "a model is described in the YAML beside it that has its name",
    )


def test_every_yaml_of_models_has_its_model(models):
    known = {*models, *SHARED_YAML.values(), "sources", "exposures"}
    none_of(
        (
            _relative(path)
            for path in (PROJECT_DIR / "models").rglob("*.y*ml")
            if path.stem not in known or path.suffix != ".yml"
        ),
        "a YAML under models/ is named as a model, sources.yml or exposures.yml",
    )


def test_the_first_line_of_a_model_is_its_grain(models):
    none_of(
        (
            f"{name}: {_first_line(node)}"
            for name, node in models.items()
            if not re.fullmatch(r"-- grain: one row( per .+[^.])?", _first_line(node))
        ),
        "the first line of a model is `-- grain: one row per ...`, without full stop",
    )


def test_the_description_of_a_model_ends_with_the_same_grain(models):
    offenders = []
    for name, node in models.items():
        grain = _first_line(node).removeprefix("-- grain: ").replace("_", " ")
        sentence = _last_sentence(node["description"]).replace("_", " ")
        if sentence.lower() != f"{grain}.".lower():
            offenders.append(f"{name}: {grain!r} in SQL, {sentence!r} in YAML")
    none_of(offenders, "the description's last sentence is the grain of the SQL")


def test_descriptions_of_seeds_and_sources_end_with_their_grain(manifest):
    nodes = [
        *(node for _, node in _of_type(manifest, "seed")),
        *manifest["sources"].values(),
        *(node for _, node in _of_type(manifest, "analysis")),
    ]
    none_of(
        (
            f"{node['name']}: {node['description'] or 'no description'}"
            for node in nodes
            if not re.search(r"\bOne row per [^.]+\.$", node["description"].strip())
        ),
        "descriptions of seeds, sources and analyses end with `One row per ...`",
    )


def test_every_column_is_described(manifest, models):
    nodes = [
        *models.values(),
        *(node for _, node in _of_type(manifest, "seed")),
        *manifest["sources"].values(),
    ]
    none_of(
        (
            f"{node['name']}.{column['name']}"
            for node in nodes
            for column in node["columns"].values()
            if not column["description"].strip()
        ),
        "every column of a model, seed or source has a description",
    )


def test_every_column_of_the_warehouse_stands_in_yaml(manifest, models, sample_world):
    nodes = [
        *models.values(),
        *(node for _, node in _of_type(manifest, "seed")),
        *manifest["sources"].values(),
    ]
    described = {
        (node["schema"], node.get("identifier") or node["name"], column.lower())
        for node in nodes
        for column in node["columns"]
    }
    with duckdb.connect(str(sample_world.database), read_only=True) as connection:
        found = connection.execute(
            "select table_schema, table_name, lower(column_name) "
            "from information_schema.columns"
        ).fetchall()
    none_of(
        (".".join(column) for column in found if column not in described),
        "every column in the warehouse is in the YAML of its model, seed or source",
    )
    none_of(
        (".".join(column) for column in described - set(found)),
        "every column in YAML exists in the warehouse",
    )


def test_every_macro_file_starts_with_what_it_is_for():
    paths = [
        *(PROJECT_DIR / "macros").rglob("*.sql"),
        *(PROJECT_DIR / "tests" / "generic").glob("*.sql"),
    ]
    none_of(
        (
            _relative(path)
            for path in paths
            if not path.read_text(encoding="utf-8").startswith("{# ")
        ),
        "a file of macros or generic tests starts with a comment {# ... #}",
    )


def test_every_macro_has_a_comment_above_it():
    offenders = []
    for path in (PROJECT_DIR / "macros").rglob("*.sql"):
        text = path.read_text(encoding="utf-8")
        for macro in re.finditer(r"\{%-? macro (\w+)", text):
            above = text[: macro.start()].rstrip()
            # an engine's own implementation is explained where it is dispatched
            if "__" not in macro[1] and not above.endswith("#}"):
                offenders.append(f"{_relative(path)}: {macro[1]}")
    none_of(offenders, "a comment {# ... #} stands right above each macro")


# Contracts and tests


def test_marts_have_enforced_contracts(models):
    none_of(
        (
            name
            for name, node in models.items()
            if node["fqn"][1] in {"marts", "quarantine"}
            and not node["contract"]["enforced"]
        ),
        "contracts of marts and of the quarantine are enforced",
    )


def test_dbt_keeps_the_rows_that_training_writes(models):
    written = {
        name: node["config"]
        for name, node in models.items()
        if "written_by_training" in node["fqn"]
    }
    assert written
    none_of(
        (
            name
            for name, config in written.items()
            if config["materialized"] != "incremental"
            or config["incremental_strategy"] != "append"
            or config["full_refresh"] is not False
        ),
        "tables that training writes are appended to, also with --full-refresh",
    )


def test_every_model_has_a_test_on_its_grain(manifest, models):
    tested = set()
    for _, node in _of_type(manifest, "test"):
        is_filtered = node["config"]["where"] is not None
        kind = (node.get("test_metadata") or {}).get("name")
        if kind in {"unique", "unique_combination"} and not is_filtered:
            tested.add(node["attached_node"])
    untested = {
        name for name, node in models.items() if node["unique_id"] not in tested
    }
    none_of(
        untested - set(NO_GRAIN_TEST),
        "a model has `unique` on its key or `unique_combination` on its grain",
    )
    none_of(
        set(NO_GRAIN_TEST) - untested,
        "models with a test on their grain are not excused from it",
    )


def test_keys_that_are_unique_are_never_null(manifest):
    """`unique` lets null pass: a key needs `not_null` as well."""
    offenders = []
    for _, node in _of_type(manifest, "test"):
        if (node.get("test_metadata") or {}).get("name") != "unique":
            continue
        owner = manifest["nodes"].get(node["attached_node"])
        column = owner["columns"].get(node["column_name"]) if owner else None
        if column is None:
            continue
        tests = {
            other["test_metadata"]["name"]
            for _, other in _of_type(manifest, "test")
            if other.get("test_metadata")
            and other["attached_node"] == owner["unique_id"]
            and other["column_name"] == node["column_name"]
            and other["config"]["where"] is None
        }
        if "not_null" not in tests and not _is_not_null(column):
            offenders.append(f"{owner['name']}.{column['name']}")
    none_of(offenders, "a unique column has a not_null test or constraint")


def test_every_test_is_an_error(manifest):
    none_of(
        (
            name
            for name, node in _of_type(manifest, "test")
            if node["config"]["severity"].lower() != "error"
            and not re.search(r"\d{4}-\d{2}-\d{2}", node["description"])
        ),
        "a test that only warns gives a date and a reason in its description",
    )


def test_singular_tests_are_facts_with_a_plain_name():
    none_of(
        (
            path.name
            for path in (PROJECT_DIR / "tests").glob("*.sql")
            if len(path.stem.split("_")) < 4 or path.stem.startswith("test_")
        ),
        "the name of a singular test is the fact that it asserts",
    )


# Direction


def test_models_read_only_what_their_layer_may(models, layers):
    offenders = []
    for name, node in models.items():
        layer = layers[node["unique_id"]]
        for parent in node["depends_on"]["nodes"]:
            parent_name = parent.split(".")[-1]
            if (
                layers[parent] not in READS[layer]
                and parent_name not in ALSO_READS.get(layer, ())
                and parent != node["unique_id"]
            ):
                offenders.append(
                    f"{name} ({layer}) reads {parent_name} ({layers[parent]})"
                )
    none_of(offenders, "a model reads only what its layer may read")


def test_nothing_descends_from_what_stands_to_its_right(models, layers, manifest):
    offenders = []
    for name, node in models.items():
        forbidden = NEVER_UPSTREAM.get(layers[node["unique_id"]], set())
        offenders += [
            f"{name} descends from {parent.split('.')[-1]} ({layers[parent]})"
            for parent in _ancestors(manifest, node)
            if layers[parent] in forbidden
        ]
    none_of(offenders, "data go from left to right")


def test_features_do_not_descend_from_outcomes(models, layers, manifest):
    assert set(models) >= OUTCOMES
    offenders = []
    for name, node in models.items():
        if layers[node["unique_id"]] == "features" or name in SCORED:
            parents = {p.split(".")[-1] for p in _ancestors(manifest, node)}
            offenders += [f"{name}: {parent}" for parent in parents & OUTCOMES]
    none_of(offenders, "features do not descend from what happened in the target week")


def test_what_is_computed_by_cutoff_is_made_of_what_is_looked_at(models, manifest):
    """Nothing of the files reaches it but through models that the fingerprints hold."""
    by_cutoff = {
        node["unique_id"]
        for node in models.values()
        if node["config"]["meta"].get("by_cutoff")
    }
    assert len(by_cutoff) > 20
    none_of(
        _read_past(manifest, by_cutoff, HASHED),
        "models by cutoff start from what int_week_inputs and int_cutoff_inputs hash",
    )


def test_what_is_made_by_week_is_made_of_what_is_looked_at(models, manifest):
    """Nothing reaches it but through models whose hashes int_event_inputs adds up."""
    by_week = _made_by_week(models)
    assert len(by_week) == 4
    looked_at = {
        parent.split(".")[-1]
        for name in ("int_event_inputs", "int_event_hashes")
        for parent in models[name]["depends_on"]["nodes"]
    }
    none_of(
        _read_past(manifest, by_week, {*looked_at, "int_event_inputs"}),
        "models by week start from what int_event_inputs hashes",
    )


def test_page_views_are_hashed_but_for_what_is_said_of_their_coupon(models):
    """A column that is not hashed may change, and no week is made anew."""
    hashed = models["int_event_hashes"]["raw_code"]
    (columns,) = re.findall(r"visits as \(\s+select(.+?)\s+from", hashed, re.DOTALL)
    left_out = {"is_listed_coupon", "is_before_sale", "visit_date"}
    assert {name.strip() for name in columns.split(",")} == (
        set(models["fct_visits"]["columns"]) - left_out
    )


def test_only_tests_of_their_own_look_at_weeks_of_histories(models, manifest):
    """An incremental build narrows what they look at, which a comparison can't bear."""
    by_week = _made_by_week(models)
    none_of(
        (
            name
            for name, node in _of_type(manifest, "test")
            if by_week & set(node["depends_on"]["nodes"])
            and node.get("attached_node") not in by_week
        ),
        "histories in weeks are tested by generic tests of their own",
    )


def test_nothing_is_named_that_an_incremental_build_names():
    none_of(
        (
            _relative(path)
            for path in (PROJECT_DIR / "tests").rglob("*.sql")
            if NAMED.search(path.read_text(encoding="utf-8"))
        ),
        "an incremental build gives what a test looks at a name, so the test cannot",
    )


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("from {{ looked_at(ref('a')) }} as b", True),
        ("from {{ looked_at(model) }}\n    as b", True),
        ("from {{ model }} as b", True),
        ("from {{ looked_at(ref('a')) }}\nleft join b on a.c = b.c", True),
        ("from b\ninner join {{ looked_at(ref('a')) }} on a.c = b.c", True),
        ("from {{ looked_at(ref('a')) }}\nwhere b", False),
        ("from {{ model }}\ngroup by b", False),
        ("from {{ ref('a') }} as b", False),
    ],
)
def test_names_of_what_is_looked_at_are_found(sql, expected):
    assert bool(NAMED.search(sql)) == expected


def test_weeks_count_as_tested_after_tests_that_end_a_build(models, manifest):
    """Else a build could come to its end, and mark weeks that have failed."""
    by_week = _made_by_week(models)
    before_the_end = _ancestors(manifest, models["build_fingerprint"])
    offenders = []
    for name, node in _of_type(manifest, "test"):
        if node.get("attached_node") not in by_week:
            continue
        metadata = node["test_metadata"]
        columns = set(metadata["kwargs"].get("columns", []))
        if (
            node["config"]["severity"].lower() != "error"
            or not before_the_end.issuperset(node["depends_on"]["nodes"])
            or metadata["name"] in ("unique", "equal_row_count")
            or (
                metadata["name"] == "unique_combination"
                and not columns & {"known_from_date", "week_start_date"}
            )
        ):
            offenders.append(name)
    none_of(
        offenders,
        "a test of a history is an error, reads what build_fingerprint descends from, "
        "and looks at one week at a time",
    )


def test_keys_that_kept_rows_hold_are_compared(models):
    by_lines = [
        node for node in models.values() if node["config"]["meta"].get("grows_with")
    ]
    assert len(by_lines) == 3
    for node in by_lines:
        keys = {
            parent.split(".")[-1]
            for parent in node["depends_on"]["nodes"]
            if parent.endswith("_keys")
        }
        assert set(node["config"]["meta"].get("keys", {}).values()) == keys


def test_models_are_named_by_their_layer(models, layers):
    none_of(
        (
            f"{name} in {layers[node['unique_id']]}"
            for name, node in models.items()
            if not re.fullmatch(NAMES.get(layers[node["unique_id"]], r"\w+"), name)
        ),
        "names say the layer: stg_, int_, dim_, fct_, bridge_, feature_",
    )


def test_the_schema_of_a_model_is_its_layer(models, layers):
    none_of(
        (
            f"{name} of {layers[node['unique_id']]} goes to {node['schema']}"
            for name, node in models.items()
            if node["schema"] != layers[node["unique_id"]]
        ),
        "a model goes to the schema of its layer",
    )


def test_no_relation_is_hard_coded():
    paths = [
        path
        for folder in ("models", "analyses", "tests", "macros")
        for path in (PROJECT_DIR / folder).rglob("*.sql")
    ]
    none_of(
        (
            f"{_relative(path)}: {found}"
            for path in paths
            for found in hard_coded(path.read_text(encoding="utf-8"))
        ),
        "models name relations by ref() and source()",
    )


def hard_coded(sql: str) -> list[str]:
    """Return relations that are named outside Jinja, except CTEs of the query."""
    sql = re.sub(r"\{#.*?#\}|--[^\n]*", " ", sql, flags=re.DOTALL)
    sql = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", " :jinja: ", sql, flags=re.DOTALL)
    ctes = {name.lower() for name in re.findall(r"(\w+)\s+as\s*\(", sql, re.IGNORECASE)}
    # `extract(part from column)` is no query
    sql = re.sub(r"extract\s*\(\s*\w+\s+from", "extract(", sql, flags=re.IGNORECASE)
    named = re.findall(
        r"\b(?:from|join)\s+(\"?\w+\"?(?:\s*\.\s*\"?\w+\"?)*)", sql, re.IGNORECASE
    )
    # `is distinct from` compares values
    compared = re.findall(
        r"\bdistinct\s+from\s+(\"?\w+\"?(?:\s*\.\s*\"?\w+\"?)*)", sql, re.IGNORECASE
    )
    for name in compared:
        named.remove(name)
    return [name for name in named if name.lower() not in ctes]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select 1 from core.dim_users as u", ["core.dim_users"]),
        (
            'select 1 from {{ ref("a") }} join "raw"."user_list" x',
            ['"raw"."user_list"'],
        ),
        ("select 1 from dim_users", ["dim_users"]),
        ("select 1\nFROM\n  dim_users", ["dim_users"]),
        ("with users as (select 1 from {{ ref('a') }}) select * from users", []),
        ("select 1 from {{ source('ponpare', 'user_list') }} -- not from here", []),
        ("{# from core.dim_users #} select 1 from {{ ref('a') }}", []),
        ("select extract(dow from day) from {{ ref('a') }}", []),
        ("select 1 from {{ ref('a') }} where x is distinct from y.z", []),
    ],
)
def test_hard_coded_relations_are_found(sql, expected):
    assert hard_coded(sql) == expected


# Pair marts


def test_every_column_of_the_pair_marts_has_a_role(pair_columns):
    none_of(
        (
            f"{place}: {_meta(column).get('role')}"
            for place, column in pair_columns
            if _meta(column).get("role") not in ROLES
        ),
        f"config.meta.role is one of {', '.join(sorted(ROLES))}",
    )


def test_every_feature_has_a_group_and_nothing_else_has(pair_columns):
    none_of(
        (
            f"{place}: role {_meta(column).get('role')}, group "
            f"{_meta(column).get('group')}"
            for place, column in pair_columns
            if (_meta(column).get("role") == "feature") != ("group" in _meta(column))
        ),
        "features, and they alone, have config.meta.group",
    )


def test_a_feature_says_what_null_means_or_is_never_null(pair_columns):
    none_of(
        (
            f"{place}: {'never null' if _is_not_null(column) else 'may be null'}, "
            f"null_means {_meta(column).get('null_means')!r}"
            for place, column in pair_columns
            if _is_not_null(column) == bool(_meta(column).get("null_means"))
        ),
        "a column is not_null, or config.meta.null_means says what null means",
    )


def test_a_pair_mart_allows_null_where_its_feature_mart_does(models, layers):
    nullable = {
        column["name"]
        for node in models.values()
        if layers[node["unique_id"]] == "features"
        for column in node["columns"].values()
        if _meta(column).get("role") == "feature" and not _is_not_null(column)
    }
    none_of(
        (
            f"{mart}.{column['name']}"
            for mart in PAIR_MARTS
            for column in models[mart]["columns"].values()
            if column["name"] in nullable and _is_not_null(column)
        ),
        "a feature that may be null in its own mart may be null in the pair marts",
    )


def test_a_reason_says_on_which_side_it_is_true(pair_columns):
    none_of(
        (
            f"{place}: reason {_meta(column).get('reason')!r}, reason_when "
            f"{_meta(column).get('reason_when')!r}"
            for place, column in pair_columns
            if ("reason" in _meta(column)) != ("reason_when" in _meta(column))
            or _meta(column).get("reason_when", "high") not in {"high", "low"}
            or ("reason" in _meta(column) and _meta(column).get("role") != "feature")
        ),
        "a reason belongs to a feature and has reason_when: high or low",
    )


def test_what_a_reason_needs_is_a_numeric_feature(pair_columns):
    numeric = {
        column["name"]
        for _, column in pair_columns
        if _meta(column).get("role") == "feature" and column["data_type"] != "varchar"
    }
    none_of(
        (
            f"{place}: reason_needs {_meta(column).get('reason_needs')!r}"
            for place, column in pair_columns
            if (
                "reason_needs" in _meta(column)
                or "reason_needs_at_most" in _meta(column)
            )
            and (
                _meta(column).get("reason_needs") not in numeric
                or "reason" not in _meta(column)
            )
        ),
        "reason_needs names a numeric feature and goes with a reason",
    )


def test_no_feature_gives_the_outcome_away(pair_columns):
    none_of(
        (
            place
            for place, column in pair_columns
            if _meta(column).get("role") == "feature"
            and NEVER_A_FEATURE.fullmatch(column["name"])
        ),
        "ids, hashes, dates, list membership and outcomes are no features",
    )


@pytest.mark.parametrize(
    "name",
    [
        *("user_id", "coupon_hash", "is_test_list", "is_buyer", "n_listed_areas"),
        *("cutoff_date", "purchased_at", "label", "weight", "coupon_seed"),
    ],
)
def test_columns_that_give_the_outcome_away_are_known(name):
    assert NEVER_A_FEATURE.fullmatch(name)


def test_both_pair_marts_have_the_same_features(models):
    def features(mart: str) -> list[tuple]:
        return [
            (column["name"], column["data_type"], column["description"], _meta(column))
            for column in models[mart]["columns"].values()
            if _meta(column).get("role") in {"feature", "score"}
        ]

    training, scoring = (features(mart) for mart in PAIR_MARTS)
    assert len(training) > 30
    assert training == scoring


@pytest.mark.parametrize("mart", SCORED)
def test_scored_pairs_hold_keys_features_and_scores_only(models, mart):
    none_of(
        (
            column["name"]
            for column in models[mart]["columns"].values()
            if _meta(column).get("role") not in {"key", "feature", "score"}
        ),
        "what scoring reads is known at the cutoff",
    )


def test_every_column_of_the_feature_marts_has_a_role(models, layers):
    none_of(
        (
            f"{name}.{column['name']}: {_meta(column)}"
            for name, node in models.items()
            if layers[node["unique_id"]] == "features"
            for column in node["columns"].values()
            if _meta(column).get("role") not in {"key", "feature", "info"}
            or (_meta(column)["role"] == "feature") != ("group" in _meta(column))
            or _is_not_null(column) == bool(_meta(column).get("null_means"))
        ),
        "columns of feature marts have a role, features a group, nulls a meaning",
    )


# Exposures


def test_exposures_depend_on_what_they_read(manifest):
    found = {
        exposure["name"]: {
            node.split(".")[-1] for node in exposure["depends_on"]["nodes"]
        }
        for exposure in manifest["exposures"].values()
    }
    assert found == EXPOSURES


def test_exposures_have_an_owner_and_a_description(manifest):
    none_of(
        (
            exposure["name"]
            for exposure in manifest["exposures"].values()
            if not exposure["owner"].get("name") or len(exposure["description"]) < 40
        ),
        "an exposure has an owner and says what it is",
    )


def test_every_analysis_is_described(manifest):
    described = {
        name
        for name, node in _of_type(manifest, "analysis")
        if node["description"].strip()
    }
    files = {path.stem for path in (PROJECT_DIR / "analyses").glob("*.sql")}
    assert described == files


# Files


def _yaml_files() -> list[Path]:
    return [
        path
        for folder in ("models", "seeds", "analyses", "tests", "macros")
        for path in sorted((PROJECT_DIR / folder).rglob("*.y*ml"))
    ]


def test_yaml_files_hold_known_keys_only():
    none_of(
        (
            f"{_relative(path)}: {key}"
            for path in _yaml_files()
            for key in unknown_keys(
                yaml.safe_load(path.read_text(encoding="utf-8")), KEYS
            )
        ),
        "keys are spelt as dbt (and KEYS above) knows them, dbt is silent on others",
    )


def test_no_column_is_described_twice():
    none_of(
        (
            f"{_relative(path)}: {described['name']}.{name}"
            for path in _yaml_files()
            for kind in ("models", "seeds")
            for described in yaml.safe_load(path.read_text("utf-8")).get(kind, [])
            for name, n in Counter(
                column["name"] for column in described.get("columns", [])
            ).items()
            if n > 1
        ),
        "of a column that YAML names twice dbt takes the last and is silent",
    )


def unknown_keys(found: object, known: object, place: str = "") -> Iterator[str]:
    """Yield the keys of parsed YAML that are not known, with the way to them."""
    if known == "any":
        return
    if known == "tests":
        yield from _unknown_keys_of_tests(found, place)
    elif isinstance(known, list):
        members = found if isinstance(found, list) else [found]
        for number, member in enumerate(members):
            name = member.get("name", number) if isinstance(member, dict) else number
            yield from unknown_keys(member, known[0], f"{place}[{name}]")
    elif isinstance(known, dict):
        if not isinstance(found, dict):
            yield f"{place} should be a mapping"
            return
        for key, value in found.items():
            if key not in known:
                yield f"{place}.{key}".lstrip(".")
            elif known[key] is not None:
                yield from unknown_keys(value, known[key], f"{place}.{key}".lstrip("."))
    elif isinstance(found, dict):
        yield f"{place} should be a plain value"


def _unknown_keys_of_tests(tests: object, place: str) -> Iterator[str]:
    """Yield unknown keys in a list of tests: names, or a name with its settings."""
    for test in tests if isinstance(tests, list) else [tests]:
        if isinstance(test, str):
            continue
        if not isinstance(test, dict) or len(test) != 1:
            yield f"{place}: {test} should be one name with its settings"
            continue
        ((name, settings),) = test.items()
        for key in settings or {}:
            if key not in _TEST:
                yield f"{place}.{name}.{key}"
        for key in (settings or {}).get("config", {}):
            if key not in {"where", "severity"}:
                yield f"{place}.{name}.config.{key}"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"models": [{"name": "a", "descripton": "x"}]}, ["models[a].descripton"]),
        ({"model": []}, ["model"]),
        (
            {"models": [{"name": "a", "columns": [{"name": "b", "tests": []}]}]},
            ["models[a].columns[b].tests"],
        ),
        (
            {"models": [{"name": "a", "data_tests": [{"unique": {"args": {}}}]}]},
            ["models[a].data_tests.unique.args"],
        ),
        (
            {
                "models": [
                    {
                        "name": "a",
                        "columns": [
                            {"name": "b", "config": {"meta": {"null_mean": "x"}}}
                        ],
                    }
                ]
            },
            ["models[a].columns[b].config.meta.null_mean"],
        ),
        ({"models": [{"name": "a", "data_tests": ["unique"]}], "version": 2}, []),
    ],
)
def test_unknown_keys_are_found(content, expected):
    assert list(unknown_keys(content, KEYS)) == expected


def test_no_path_is_absolute():
    paths = [
        PROJECT_DIR / "profiles.yml",
        PROJECT_DIR / "dbt_project.yml",
        *(
            path
            for folder in ("models", "seeds", "macros", "analyses")
            for path in (PROJECT_DIR / folder).rglob("*.*")
            if path.suffix in {".sql", ".yml", ".md"}
        ),
    ]
    none_of(
        (
            f"{_relative(path)}:{number}: {found}"
            for path in paths
            for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"))
            for found in absolute_paths(line)
        ),
        "the project works wherever it is cloned to",
    )


def absolute_paths(line: str) -> list[str]:
    """Return what looks like a path from the root, a home or a drive."""
    return re.findall(
        r"(?:^|(?<=[\s'\"=(:,]))(?:/|~/|[A-Za-z]:[\\/])\w[^\s'\")]*", line
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("path: /srv/warehouse/a.duckdb", ["/srv/warehouse/a.duckdb"]),
        ("path: '~/a.duckdb'", ["~/a.duckdb"]),
        ('path: "C:\\data\\a.duckdb"', ["C:\\data\\a.duckdb"]),
        ("path: warehouse/a.duckdb", []),
        ("a / b, 100 * n / nullif(m, 0)", []),
        ("see https://docs.getdbt.com/reference", []),
    ],
)
def test_absolute_paths_are_found(line, expected):
    assert absolute_paths(line) == expected


def test_no_tracked_file_names_a_package_registry():
    listed = subprocess.run(
        ["git", "ls-files", "-z"],
        cwd=PROJECT_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout: no list of tracked files")
    offenders = []
    for name in filter(None, listed.stdout.split("\0")):
        path = PROJECT_DIR / name
        if path.is_file():
            content = path.read_bytes()
            offenders += [
                f"{name}: {host}" for host in REGISTRY_HOSTS if host.encode() in content
            ]
    none_of(offenders, "no file names the host of a package registry")


# Helpers


def _layer(node: dict) -> str:
    """Return the folder under models/ or models/marts/; deeper folders belong to it."""
    folders = node["fqn"][1:-1]
    return folders[1] if folders[0] == "marts" else folders[0]


def _first_line(node: dict) -> str:
    return node["raw_code"].split("\n")[0]


def _last_sentence(description: str) -> str:
    return re.split(r"(?<=\.)\s+", " ".join(description.split()))[-1]


def _meta(column: dict) -> dict:
    return column["config"]["meta"]


def _is_not_null(column: dict) -> bool:
    return any(constraint["type"] == "not_null" for constraint in column["constraints"])


def _ancestors(manifest: dict, node: dict) -> set[str]:
    """Return everything that a model is made from, near or far."""
    found: set[str] = set()
    waiting = list(node["depends_on"]["nodes"])
    while waiting:
        parent = waiting.pop()
        if parent not in found:
            found.add(parent)
            waiting += manifest["parent_map"][parent]
    return found


def _made_by_week(models: dict) -> set[str]:
    """Return the ids of the models that are made week by week."""
    return {
        node["unique_id"]
        for node in models.values()
        if node["config"]["incremental_strategy"] == "weeks"
    }


def _read_past(manifest: dict, models: set[str], looked_at: set[str]) -> set[str]:
    """Return the files that models are made from past what is looked at."""
    found: set[str] = set()
    waiting = [*models]
    while waiting:
        for parent in manifest["parent_map"][waiting.pop()]:
            if parent not in found and parent.split(".")[-1] not in looked_at:
                found.add(parent)
                waiting.append(parent)
    return {name for name in found if name.startswith("source.") or ".stg_" in name}


def _relative(path: Path) -> str:
    return str(path.relative_to(PROJECT_DIR))
