"""The catalogue of features says what the YAML says; the page in docs is current."""

from __future__ import annotations

import pytest

from ml import catalogue
from ml.catalogue import Feature, Mart, features_of, markdown, marts_of
from ml.cli import CommandError
from ml.manifest import last_sentence
from ml.settings import PROJECT_DIR


def column(name: str, not_null: bool = True, **meta) -> dict:
    return {
        "name": name,
        "description": f"What\n{name} is.",
        "data_type": "integer",
        "config": {"meta": meta},
        "constraints": [{"type": "not_null"}] if not_null else [],
    }


def model(name: str, schema: str, *columns: dict) -> dict:
    return {
        "name": name,
        "resource_type": "model",
        "schema": schema,
        "description": f"About {name}. One row per key of {name}.",
        "columns": {c["name"]: c for c in columns},
    }


def manifest_of(*nodes: dict) -> dict:
    return {"nodes": {f"model.ponpare.{node['name']}": node for node in nodes}}


#: `days` stands in two marts, with another meaning each; `ratio` in none.
MANIFEST = manifest_of(
    model(
        "feature_users",
        "features",
        column("user_id", role="key"),
        column("age", role="feature", group="user", window="28 days"),
        column("days", role="feature", group="user"),
    ),
    model(
        "feature_user_shops",
        "features",
        column("days", role="feature", group="pair"),
    ),
    model("cutoffs", "features", column("cutoff_date", role="key")),
    model(
        "scoring_pairs",
        "ml",
        column("user_id", role="key"),
        column("age", role="feature", group="user"),
        column("days", False, role="feature", group="user", null_means="never bought"),
        column("ratio", role="feature", group="pair", window="7 days"),
    ),
)


def test_features_are_those_of_the_pair_mart_in_its_order():
    what = ("What age is.", "What days is.", "What ratio is.")
    assert features_of(MANIFEST) == [
        # the window stands in the feature's own mart
        Feature(
            "age", what[0], "integer", "user", "feature_users", "28 days", "never null"
        ),
        # of two namesakes the one of its group
        Feature(
            "days", what[1], "integer", "user", "feature_users", "", "never bought"
        ),
        Feature("ratio", what[2], "integer", "pair", "pair", "7 days", "never null"),
    ]


def test_marts_hold_features_and_end_with_their_grain():
    assert marts_of(MANIFEST) == [
        Mart("feature_user_shops", "One row per key of feature_user_shops.", 1),
        Mart("feature_users", "One row per key of feature_users.", 2),
        Mart("scoring_pairs", "One row per key of scoring_pairs.", 3),
    ]


def test_the_page_has_a_table_per_group():
    page = markdown(features_of(MANIFEST), marts_of(MANIFEST))
    assert "3 features in 2 groups" in page
    assert "## User: 2\n" in page
    assert "## Pair: 1\n" in page
    row = "| `days` | integer | What days is. | feature_users |  | never bought |"
    assert row in page.splitlines()


def test_a_bar_in_a_description_does_not_break_the_table():
    feature = Feature("a", "x | y", "integer", "user", "pair", "", "never null")
    row = "| `a` | integer | x / y | pair |  | never null |"
    assert row in markdown([feature], []).splitlines()


def test_the_last_sentence_ignores_line_breaks_and_abbreviated_numbers():
    assert last_sentence("Half, 0.5 of it.\n  One row\n per user.") == (
        "One row per user."
    )


def test_the_page_in_docs_is_what_would_be_written(manifest):
    page = markdown(features_of(manifest), marts_of(manifest))
    catalogue.check(page, PROJECT_DIR / catalogue.PAGE)


def test_a_page_that_lags_behind_is_one_sentence(tmp_path):
    path = tmp_path / "features.md"
    for content in (None, "old\n"):
        if content:
            path.write_text(content, encoding="utf-8")
        with pytest.raises(CommandError, match="run `make catalogue`"):
            catalogue.check("new\n", path)


def test_the_page_is_written_and_checked_by_the_command(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(catalogue, "read_manifest", lambda: MANIFEST)
    path = tmp_path / "features.md"
    monkeypatch.setattr(catalogue, "PAGE", path)
    assert catalogue.main(["--check"]) == 1
    assert capsys.readouterr().err.startswith("error: ")
    assert catalogue.main(["--write", str(path)]) == 0
    assert catalogue.main(["--check"]) == 0
    capsys.readouterr()
    assert catalogue.main([]) == 0
    assert capsys.readouterr().out == path.read_text(encoding="utf-8")
    assert catalogue.main(["--write", str(tmp_path / "none" / "f.md")]) == 1
    assert "is no directory" in capsys.readouterr().err
