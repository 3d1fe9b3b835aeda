"""Model files: what is saved comes back, what is broken is refused in a sentence."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from build_features import make_training_set

from ml import registry
from ml.models.cosine import Cosine
from ml.models.logistic import Logistic
from ml.models.popularity import Popularity
from ml.registry import ChangedMartError, ModelFileError, load_model, save_model
from ml.warehouse import Column

#: Settings other than the default ones, which a file must bring back too.
MODELS = [
    Popularity(),
    Cosine(),
    Logistic(C=0.5, crossed_groups=(), random_state=3),
    Logistic(C=0.5, crossed_groups=("pair",), max_iter=50),
    Logistic(),
]


@pytest.fixture(scope="module")
def training():
    return make_training_set()


@pytest.fixture
def saved(tmp_path, training) -> Path:
    """A model file whose content a test may spoil."""
    path = tmp_path / "popularity.json"
    save_model(Popularity().fit(training), path)
    return path


def spoil(path: Path, **changes: object) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(content | changes), encoding="utf-8")


@pytest.mark.parametrize("model", MODELS, ids=lambda m: f"{m.name} {m.parameters()}")
def test_a_loaded_model_is_the_saved_one(model, training, tmp_path):
    path = tmp_path / "new" / "directories" / "model.json"
    expected = model.fit(training).predict(training.features)
    save_model(model, path)
    loaded = load_model(path)
    assert type(loaded) is type(model)
    assert loaded.parameters() == model.parameters()
    assert loaded.predict(training.features).tobytes() == expected.tobytes()


def test_a_file_is_plain_json_with_format_and_name(saved):
    content = json.loads(saved.read_text(encoding="utf-8"))
    assert content["format"] == registry.FORMAT
    assert content["name"] == "popularity"


def test_saving_again_replaces_the_file(saved, training):
    save_model(Cosine().fit(training), saved)
    assert isinstance(load_model(saved), Cosine)
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelFileError, match=r"absent\.json is not a model file"):
        load_model(tmp_path / "absent.json")


@pytest.mark.parametrize(
    "content", [b"", b'{"format": 1, "na', b"[]", b"7", b"{}", b"\xff\xfe\x00"]
)
def test_a_file_that_is_no_model_is_named(tmp_path, content):
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"broken\.json is not a model file"):
        load_model(path)


def test_the_format_of_a_file_is_told_without_the_rest(saved, tmp_path):
    assert registry.format_of(saved) == registry.FORMAT
    spoil(saved, format=1, name="no model")
    assert registry.format_of(saved) == 1
    for content in ("{}", "[]", "no JSON"):
        saved.write_text(content)
        assert registry.format_of(saved) is None
    assert registry.format_of(tmp_path / "absent.json") is None


@pytest.mark.parametrize("other", [registry.FORMAT - 1, registry.FORMAT + 1])
def test_another_format_says_what_to_do(saved, other):
    spoil(saved, format=other)
    expected = rf"popularity\.json has format {other}.*train again"
    with pytest.raises(ModelFileError, match=expected):
        load_model(saved)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "oracle"},
        {"name": ["popularity"]},
        {"state": {}},
        {"state": "text"},
        {"state": {"contract": {"numeric": [], "categories": [], "groups": {}}}},
    ],
)
def test_an_unknown_name_or_a_damaged_state_is_refused(saved, changes):
    spoil(saved, **changes)
    with pytest.raises(ModelFileError, match=r"popularity\.json is not a model file"):
        load_model(saved)


def interrupt(*arguments: object, **options: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(("module", "step"), [(json, "dump"), (os, "replace")])
def test_an_interrupted_write_leaves_no_file(
    tmp_path, training, monkeypatch, module, step
):
    model = Popularity().fit(training)
    monkeypatch.setattr(module, step, interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_model(model, tmp_path / "model.json")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_write_keeps_the_file_of_before(saved, training, monkeypatch):
    before = saved.read_bytes()
    monkeypatch.setattr(json, "dump", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_model(Cosine().fit(training), saved)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def mart_of(training) -> list[Column]:
    """Return the contract of a mart with just the features of a training set."""
    contract = training.features.contract
    return [
        Column("user_id", "key", "", "integer", "", ""),
        *(Column(n, "feature", "pair", "double", "", "") for n in contract.numeric),
        *(Column(n, "feature", "pair", "varchar", "", "") for n in contract.categories),
        *(Column(n, "score", "", "double", "", "") for n in contract.scores),
    ]


def test_a_mart_with_the_features_of_the_model_is_accepted_in_any_order(
    saved, training
):
    assert isinstance(load_model(saved, mart_of(training)[::-1]), Popularity)


def test_a_changed_mart_is_one_sentence_that_names_the_changes(saved, training):
    changed = [
        *(c for c in mart_of(training) if c.name not in {"noise", "genre"}),
        Column("genre", "feature", "pair", "integer", "", ""),
        Column("mood", "feature", "pair", "double", "", ""),
    ]
    with pytest.raises(ChangedMartError) as raised:
        load_model(saved, changed)
    assert str(raised.value) == (
        f"{saved} was fitted on other features than ml.scoring_pairs has (noise is "
        "gone, mood is new, genre was text and is numeric): train again with "
        "`python -m ml.train`."
    )
