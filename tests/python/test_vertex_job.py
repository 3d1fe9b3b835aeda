"""A Vertex AI custom job: its environment, its mounts, and what it hands over."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import duckdb
import pytest
import yaml
from warehouses import write_sample

from ml import settings
from ml.cli import CommandError
from ml.registry import load_model
from ml.vertex_job import TABLES, local_place, read_job

ROOT = settings.PROJECT_DIR


@pytest.fixture
def mounts(tmp_path) -> Path:
    """Buckets as a job sees them."""
    (tmp_path / "gcs" / "bucket" / "files").mkdir(parents=True)
    return tmp_path / "gcs"


@pytest.fixture
def environment(mounts) -> dict[str, str]:
    return {
        "PONPARE_INPUT": "gs://bucket/files",
        "PONPARE_OUTPUT": "gs://bucket/out/week",
        "AIP_MODEL_DIR": "gs://bucket/jobs/1/model/",
        "PONPARE_GCS_ROOT": str(mounts),
    }


def test_buckets_are_where_they_are_mounted(environment, mounts):
    job = read_job(environment)
    assert job.input == mounts / "bucket" / "files"
    assert job.output == mounts / "bucket" / "out" / "week"
    assert job.model == mounts / "bucket" / "jobs" / "1" / "model"
    assert job.cutoff is None
    assert read_job(environment | {"PONPARE_CUTOFF": "2012-06-17"}).cutoff == (
        "2012-06-17"
    )
    # without a place of its own it is Vertex AI's
    with pytest.raises(CommandError, match=re.escape("not mounted at /gcs/bucket:")):
        read_job({k: v for k, v in environment.items() if k != "PONPARE_GCS_ROOT"})


def test_directories_are_taken_as_they_are(tmp_path):
    assert local_place("X", str(tmp_path / "a"), Path("/gcs")) == tmp_path / "a"
    assert (
        local_place("X", "data/sample", Path("/gcs")) == Path("data/sample").absolute()
    )


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"PONPARE_INPUT": ""}, "PONPARE_INPUT is not set"),
        ({"PONPARE_OUTPUT": None}, "PONPARE_OUTPUT is not set"),
        ({"AIP_MODEL_DIR": None}, "AIP_MODEL_DIR is not set"),
        ({"PONPARE_OUTPUT": "gs://other/x"}, "PONPARE_OUTPUT: gs://other/x is not"),
        ({"PONPARE_OUTPUT": "gs:///x"}, "PONPARE_OUTPUT: gs:///x is not mounted"),
        ({"PONPARE_INPUT": "gs://bucket/nothing"}, "is not a directory: upload"),
        ({"PONPARE_CUTOFF": "June"}, "PONPARE_CUTOFF: 'June' is not a date"),
    ],
)
def test_what_is_wrong_is_one_sentence(environment, change, sentence):
    changed = {k: v for k, v in (environment | change).items() if v is not None}
    with pytest.raises(CommandError, match=re.escape(sentence)):
        read_job(changed)


def test_the_container_has_what_the_job_needs():
    recipe = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    copied = [
        name
        for line in re.findall(r"^COPY (.+) \S+$", recipe, re.MULTILINE)
        for name in line.split()
    ]
    assert [name for name in copied if not (ROOT / name).exists()] == []
    # what dbt and ml read besides
    dbt = yaml.safe_load((ROOT / "dbt_project.yml").read_text(encoding="utf-8"))
    paths = {
        path for key, value in dbt.items() if key.endswith("-paths") for path in value
    }
    assert paths | {"ml", "profiles.yml", "dbt_project.yml", "pyproject.toml"} <= (
        set(copied)
    )
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {line[1:] for line in ignored if line.startswith("!")} == set(copied)
    # the Python that the project is locked for, the system library that CI installs
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lowest = project["project"]["requires-python"].split(",")[0].removeprefix(">=")
    assert f"FROM python:{lowest}-slim" in recipe
    assert "libgomp1" in recipe
    assert "libgomp1" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "--require-hashes -r requirements.txt" in recipe
    assert 'ENTRYPOINT ["python", "-m", "ml.vertex_job"]' in recipe


def test_the_job_of_the_docs_sets_what_the_entry_point_reads(mounts):
    job = yaml.safe_load((ROOT / "docs" / "vertex-job.yaml").read_text("utf-8"))
    [pool] = job["workerPoolSpecs"]
    assert pool["replicaCount"] == 1
    environment = {e["name"]: e["value"] for e in pool["containerSpec"]["env"]}
    # Vertex AI adds the model's directory
    prefix = job["baseOutputDirectory"]["outputUriPrefix"]
    environment["AIP_MODEL_DIR"] = f"{prefix}/model/"
    (mounts / "BUCKET" / "files").mkdir(parents=True)
    found = read_job(environment | {"PONPARE_GCS_ROOT": str(mounts)})
    assert found.input == mounts / "BUCKET" / "files"


@pytest.mark.full
def test_a_job_from_files_to_scores_and_model(environment, mounts, tmp_path):
    sample = write_sample(tmp_path / "sample", users=100, seed=5)
    shutil.copytree(sample, mounts / "bucket" / "files", dirs_exist_ok=True)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "ml.vertex_job"],
        cwd=ROOT,
        # nothing of this machine's own settings
        env=environment
        | {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "TMPDIR": str(scratch)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    output, model = (
        mounts / "bucket" / "out" / "week",
        mounts / "bucket" / "jobs/1/model",
    )
    manifest = json.loads((output / "manifest.json").read_text(encoding="utf-8"))
    for directory, files in zip(
        (output, model), manifest["sha256"].values(), strict=True
    ):
        on_disk = {
            str(p.relative_to(directory)) for p in directory.rglob("*") if p.is_file()
        }
        assert on_disk - {"manifest.json"} == set(files)
        for name, checksum in files.items():
            content = (directory / name).read_bytes()
            assert hashlib.sha256(content).hexdigest() == checksum
    assert {f"{name}.parquet" for name in TABLES} <= set(manifest["sha256"]["output"])
    assert "report/index.html" in manifest["sha256"]["output"]
    with duckdb.connect() as connection:
        scores, lists = (
            connection.execute(
                f"select count(*), count(distinct user_hash), min(run_id), "
                f"count(distinct coupon_hash) from '{path}'"
            ).fetchone()
            for path in (
                output / "purchase_scores.parquet",
                output / "recommendations.parquet",
            )
        )
    # every candidate pair, and ten of them for each user
    assert scores[0] == scores[1] * scores[3] > 1000
    assert lists[:2] == (scores[1] * 10, scores[1])
    assert scores[2] == lists[2] == manifest["run_id"]
    assert load_model(model / "blend.json").name == "blend"
    # what was built on the machine ended with the job
    assert list(scratch.iterdir()) == []
