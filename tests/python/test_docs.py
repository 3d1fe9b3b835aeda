"""dbt's documentation: nothing lacks a description, and its site works from disk."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from dbt_common.clients.jinja import get_environment
from jinja2 import nodes
from test_project_rules import none_of

from ml.manifest import last_sentence

PROJECT = "ponpare"
#: Fewer words than this say no more than a name does.
MIN_WORDS = 3
#: From the file of purchases to what is recommended, each read by the next.
LINEAGE = (
    *("coupon_detail_train", "checked_purchases", "stg_purchases", "fct_purchases"),
    *("cutoffs", "scoring_pairs", "purchase_scores", "recommendations"),
)


def undescribed(manifest: dict) -> Iterator[str]:
    """Yield what lacks a description, or has one of a word or two.

    Uses of generic tests are named by dbt after the test and its arguments: the test
    itself is a macro, and described there. The name of a unit test is a sentence. A
    hook has no place for words: the macro that it calls has them.
    """
    for kind in ("nodes", "sources", "macros", "exposures"):
        for node in manifest[kind].values():
            if node["package_name"] != PROJECT or node.get("test_metadata"):
                continue
            if node["resource_type"] == "operation":
                continue
            name = f"{node['resource_type']} {node['name']}"
            if _says_little(node["description"]):
                yield name
            if node["resource_type"] == "source" and _says_little(
                node["source_description"]
            ):
                yield f"source {node['source_name']}"
            for column in node.get("columns", {}).values():
                if _says_little(column["description"]):
                    yield f"{name}, column {column['name']}"
            for argument in node.get("arguments", []):
                if _says_little(argument["description"]):
                    yield f"{name}, argument {argument['name']}"


def _says_little(description: str) -> bool:
    return len(description.split()) < MIN_WORDS


def parameters(macro_sql: str) -> dict[str, list[str]]:
    """Return the parameters of the macros and generic tests in a piece of SQL."""
    as_macro = re.sub(r"{%(-?)\s*test\s+", r"{%\1 macro test_", macro_sql)
    as_macro = re.sub(r"{%(-?)\s*endtest\b", r"{%\1 endmacro", as_macro)
    return {
        macro.name.removeprefix("dbt_macro__"): [
            argument.name for argument in macro.args
        ]
        for macro in get_environment().parse(as_macro).find_all(nodes.Macro)
    }


def test_nothing_lacks_a_description(manifest):
    none_of(undescribed(manifest), "each is described in words that its name lacks")


@pytest.mark.parametrize(
    ("kind", "unique_id", "found"),
    [
        ("nodes", "model.ponpare.cutoffs", "model cutoffs"),
        ("nodes", "seed.ponpare.genres", "seed genres"),
        ("nodes", "test.ponpare.every_cutoff_is_a_sunday", "test every_cutoff_is_a"),
        ("nodes", "analysis.ponpare.missing_values", "analysis missing_values"),
        ("sources", "source.ponpare.ponpare.user_list", "source user_list"),
        ("macros", "macro.ponpare.price_band", "macro price_band"),
        ("exposures", "exposure.ponpare.train", "exposure train"),
    ],
)
def test_what_lacks_a_description_is_found(manifest, kind, unique_id, found):
    node = manifest[kind][unique_id] | {"description": "Two words"}
    changed = manifest | {kind: manifest[kind] | {unique_id: node}}
    names = list(undescribed(changed))
    assert len(names) == 1
    assert names[0].startswith(found)


def test_columns_and_arguments_without_a_description_are_found(manifest):
    models, macros = dict(manifest["nodes"]), dict(manifest["macros"])
    models["model.ponpare.cutoffs"] = models["model.ponpare.cutoffs"] | {
        "columns": {"cutoff_at": {"name": "cutoff_at", "description": ""}}
    }
    macros["macro.ponpare.price_band"] = macros["macro.ponpare.price_band"] | {
        "arguments": [{"name": "price", "description": "yen"}]
    }
    assert list(undescribed(manifest | {"nodes": models, "macros": macros})) == [
        "model cutoffs, column cutoff_at",
        "macro price_band, argument price",
    ]


def test_arguments_of_macros_are_those_of_the_sql(manifest):
    offenders = []
    for macro in manifest["macros"].values():
        if macro["package_name"] != PROJECT:
            continue
        described = [argument["name"] for argument in macro["arguments"]]
        taken = parameters(macro["macro_sql"])[macro["name"]]
        if described != taken:
            offenders.append(f"{macro['name']}: {described} in YAML, {taken} in SQL")
    none_of(
        offenders, "the YAML lists the arguments of a macro in the order of its SQL"
    )


def test_parameters_are_read_from_sql():
    sql = "{% macro a(x, y=none) -%}{%- endmacro %}{% test b(model) %}{% endtest %}"
    assert parameters(sql) == {"a": ["x", "y"], "test_b": ["model"]}


def test_the_overview_is_the_projects_own_and_names_what_exists(manifest):
    own = manifest["docs"].get("doc.ponpare.__overview__")
    assert own, "without a block of the project's own dbt shows its general welcome"
    text = own["block_contents"]
    models = {
        node["name"]: node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
    }
    known = {
        *models,
        *(source["name"] for source in manifest["sources"].values()),
        *(source["source_name"] for source in manifest["sources"].values()),
        *(node["schema"] for node in models.values()),
        *(part for node in models.values() for part in node["fqn"]),
        *(
            f"{node['name']}.{column}"
            for node in models.values()
            for column in node["columns"]
        ),
        *(column for node in models.values() for column in node["columns"]),
        *("marts/core", "marts/features", "marts/ml", "marts/reporting"),
        *("selection_end_date", "python -m ml.train", "column_lineage.html"),
    }
    none_of(
        sorted(set(re.findall(r"`([^`]+)`", text)) - known),
        "what the overview writes as a name exists",
    )
    # each layer is there
    assert {node["schema"] for node in models.values()} <= set(
        re.findall(r"`([^`]+)`", text)
    )


@pytest.fixture(scope="module")
def site(sample_world) -> Path:
    """Directory with the site, as `make docs` writes it, and dbt's manifest."""
    sample_world.dbt("docs", "generate", "--static")
    return Path(sample_world.environment()["DBT_TARGET_PATH"])


@pytest.mark.full
def test_the_site_works_from_disk_and_asks_nobody(browser, site):
    browser.open(site / "static_index.html")
    assert (
        browser.find("h1").text == "Ponpare warehouse: who buys which coupon next week"
    )
    # dbt's page names pictures before its script fills in their names: files beside it
    beside = site.resolve().as_uri() + "/"
    assert [url for url in browser.requests() if not url.startswith(beside)] == []
    scripts = [
        error
        for error in browser.console_errors()
        if "Unsafe attempt to load URL" not in error and "favicon" not in error
    ]
    assert scripts == []


@pytest.mark.full
def test_from_the_purchases_to_the_recommendations_click_by_click(browser, site):
    manifest = json.loads((site / "manifest.json").read_text(encoding="utf-8"))
    found = {
        node["name"]: node
        for node in (*manifest["sources"].values(), *manifest["nodes"].values())
        if node["resource_type"] in {"source", "model"}
    }
    source = found[LINEAGE[0]]["unique_id"]
    browser.open(site / "static_index.html")
    browser.find("h1")
    browser.driver.execute_script(f"location.hash = '#!/source/{source}'")
    for name, after in zip(LINEAGE, (*LINEAGE[1:], None), strict=True):
        browser.wait(
            lambda name=name: re.search(rf"\b{name}\b", browser.find("h1").text),
            f"the page of {name} did not open",
        )
        shown = browser.find(".model-markdown").text
        expected = last_sentence(found[name]["description"]).replace("`", "")
        assert expected.startswith("One row")
        assert expected in " ".join(shown.split())
        if after:
            references = "#referenced_by + .section-content a"
            browser.find(references, "Models").click()
            browser.find(references, after).click()
