"""Runs in MLflow are what the warehouse says of them."""

from __future__ import annotations

import importlib.util
import json

import pytest

from ml import export_mlflow, settings
from ml.card import card_path
from ml.warehouse import open_warehouse


@pytest.fixture
def copies(one_run_world_in_use):
    with open_warehouse(read_only=True) as warehouse:
        return {copy.model_name: copy for copy in export_mlflow.copies_of(warehouse)}


@pytest.fixture
def client(tmp_path, monkeypatch):
    if importlib.util.find_spec("mlflow") is None:
        pytest.skip("MLflow is not installed (`make mlflow`): nothing is copied to it")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow.tracking import MlflowClient

    return MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")


def exported(client, arguments=()) -> int:
    return export_mlflow.main(["--tracking-uri", client.tracking_uri, *arguments])


def runs(client) -> dict:
    experiment = client.get_experiment_by_name("ponpare").experiment_id
    return {
        run.data.tags["ponpare.model_name"]: run
        for run in client.search_runs([experiment])
        if run.info.status == "FINISHED"
    }


def test_a_copy_is_what_the_tables_say(one_run_world_in_use, copies):
    with open_warehouse(read_only=True) as warehouse:
        expected = warehouse.rows(
            "select model_name, parameters, fit_seconds from ml.model_runs"
        )
        ((buyers, everybody),) = warehouse.rows(
            "select max(case when slice = 'buyers' then value end), "
            "max(case when slice = 'all' then value end) from ml.model_metrics "
            "where model_name = 'blend' and metric = 'map_at_10'"
        )
    assert len(copies) == len(expected)
    for model_name, parameters, fit_seconds in expected:
        copy = copies[model_name]
        assert {
            name: json.loads(value) for name, value in copy.parameters.items()
        } == json.loads(parameters)
        assert copy.metrics.get("fit_seconds") == fit_seconds
    assert copies["blend"].metrics["map_at_10"] == everybody
    assert copies["blend"].metrics["map_at_10/buyers"] == buyers
    assert copies["blend"].tags["is_default"] == "True"
    assert copies["cosine"].tags["is_default"] == "False"


def test_without_mlflow_the_command_says_what_to_run(
    one_run_world_in_use, monkeypatch, capsys
):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert export_mlflow.main(["--tracking-uri", "sqlite:///x.db"]) == 1
    assert "run `make mlflow`" in capsys.readouterr().err


@pytest.mark.full
@pytest.mark.filterwarnings("ignore")
def test_runs_are_copied_once_with_model_and_card(
    client, one_run_world_in_use, copies, capsys
):
    assert exported(client) == 0
    assert f"{len(copies)} models of runs copied" in capsys.readouterr().out
    found = runs(client)
    assert set(found) == set(copies)
    for name, copy in copies.items():
        run = found[name]
        assert run.data.params == copy.parameters
        assert run.data.metrics == pytest.approx(copy.metrics)
        assert run.data.tags["ponpare.run_id"] == copy.run_id
    blend = found["blend"]
    assert {file.path for file in client.list_artifacts(blend.info.run_id)} == {
        (settings.PROJECT_DIR / copies["blend"].tags["model_file"]).name,
        card_path(copies["blend"].run_id).name,
    }
    assert client.list_artifacts(found["cosine"].info.run_id) == []
    assert exported(client) == 0
    assert f"0 models of runs copied to {client.tracking_uri}" in (
        capsys.readouterr().out
    )
    assert runs(client).keys() == found.keys()


@pytest.mark.full
@pytest.mark.filterwarnings("ignore")
def test_a_copy_that_breaks_off_is_made_anew(
    client, one_run_world_in_use, copies, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(export_mlflow, "_files", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            exported(client)
    assert runs(client) == {}
    assert exported(client) == 0
    assert set(runs(client)) == set(copies)


@pytest.mark.full
@pytest.mark.filterwarnings("ignore")
def test_what_cannot_be_copied_is_one_sentence(
    client, one_run_world_in_use, tmp_path, capsys
):
    assert exported(client, ["--run", "none"]) == 1
    assert "holds no run none" in capsys.readouterr().err
    assert export_mlflow.main(["--tracking-uri", str(tmp_path / "runs")]) == 1
    assert "takes no copies" in capsys.readouterr().err
