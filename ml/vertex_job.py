"""Run everything as one Vertex AI custom job: files in, scores and model out.

Everything is told by the environment, as such a job does: `PONPARE_INPUT` is the
directory with the files, `PONPARE_OUTPUT` takes scores, lists, metrics and the report,
`AIP_MODEL_DIR`, which Vertex AI sets, takes the model file and its card. Each may be a
directory or `gs://bucket/directory`, which Vertex AI mounts as `/gcs/bucket/directory`
(another place of the mounts: `PONPARE_GCS_ROOT`). `PONPARE_CUTOFF` chooses the week.
The warehouse itself is built on the machine's own disk (`TMPDIR`), because a mounted
bucket cannot be written at random, and ends with the job.

Files are copied whole, `manifest.json` with their checksums is the last one: without it
the output is not complete.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ml import cli, settings
from ml.child import run_measured
from ml.files import write_whole
from ml.manifest import dbt_command
from ml.pipeline import BEHIND_TRAINING
from ml.version import code_version
from ml.warehouse import Warehouse, open_warehouse

EXAMPLE = (
    "example: PONPARE_INPUT=gs://bucket/files PONPARE_OUTPUT=gs://bucket/out "
    "AIP_MODEL_DIR=gs://bucket/model python -m ml.vertex_job"
)
BUCKETS = "gs://"
#: What is handed over as Parquet, from the run that the job published.
TABLES = {
    "purchase_scores": "select * from ml.purchase_scores where run_id = ?",
    "recommendations": "select * from reporting.recommendations where run_id = ?",
    "model_runs": "select * from ml.model_runs where run_id = ?",
    "model_metrics": "select * from ml.model_metrics where run_id = ?",
}
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Job:
    """Where a job reads and writes.

    Attributes
    ----------
    input, output, model
        Directories as this machine sees them.
    cutoff
        Sunday whose target week is scored; None for the latest with candidates.
    """

    input: Path
    output: Path
    model: Path
    cutoff: str | None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    cli.parser("vertex_job", __doc__, EXAMPLE).parse_args(arguments)
    return cli.run(lambda: run_job(read_job(os.environ)))


def read_job(environment: Mapping[str, str]) -> Job:
    """Return what the environment asks for.

    Raises
    ------
    CommandError
        A variable is missing, a bucket is not mounted, the cutoff is no date, or the
        input is no directory.
    """
    root = Path(environment.get("PONPARE_GCS_ROOT") or "/gcs")
    places = {}
    for name in ("PONPARE_INPUT", "PONPARE_OUTPUT", "AIP_MODEL_DIR"):
        value = environment.get(name)
        if not value:
            raise cli.CommandError(
                f"{name} is not set: give the job a directory or {BUCKETS}bucket/"
                "directory in it (Vertex AI sets AIP_MODEL_DIR where the job has a "
                "baseOutputDirectory)."
            )
        places[name] = local_place(name, value, root)
    if not places["PONPARE_INPUT"].is_dir():
        raise cli.CommandError(
            f"PONPARE_INPUT: {environment['PONPARE_INPUT']} is not a directory: upload "
            "the competition's files there."
        )
    cutoff = environment.get("PONPARE_CUTOFF") or None
    if cutoff is not None:
        try:
            cli.date(cutoff)
        except Exception as error:
            raise cli.CommandError(f"PONPARE_CUTOFF: {error}.") from error
    return Job(*places.values(), cutoff)


def local_place(name: str, value: str, root: Path) -> Path:
    """Return the directory of a variable as this machine sees it.

    Raises
    ------
    CommandError
        Its bucket is not mounted under the root.
    """
    if not value.startswith(BUCKETS):
        return Path(value).absolute()
    bucket, _, directory = value.removeprefix(BUCKETS).partition("/")
    if not bucket or not (root / bucket).is_dir():
        raise cli.CommandError(
            f"{name}: {value} is not mounted at {root / bucket}: Vertex AI mounts the "
            "buckets that the job's service account may read; elsewhere set "
            "PONPARE_GCS_ROOT to where they are."
        )
    return root / bucket / directory


def run_job(job: Job) -> Path:
    """Build, train, score and hand over; return the manifest.

    Raises
    ------
    CommandError
        A step ended with an error; nothing was handed over.
    """
    # an earlier job's manifest must not vouch for a mixture
    (job.output / MANIFEST).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="ponpare-") as scratch:
        work = Path(scratch)
        database, report = work / "warehouse.duckdb", work / "report"
        environment = {
            "PONPARE_DATA_DIR": str(job.input),
            "PONPARE_DB": str(database),
            "PONPARE_CACHE": str(work / "cache"),
            "DBT_TARGET_PATH": str(work / "target"),
            "DBT_LOG_PATH": str(work / "logs"),
        }
        dbt, python = dbt_command(), sys.executable
        cutoff = ["--cutoff", job.cutoff] if job.cutoff else []
        for title, command in (
            ("dbt build", [dbt, "build"]),
            ("train, evaluate, score", [python, "-m", "ml.train", *cutoff]),
            ("models behind the scores", [dbt, "build", "--select", BEHIND_TRAINING]),
            ("report", [python, "-m", "ml.report", "--out", str(report)]),
        ):
            print(f"{title} ...", flush=True)
            cost = run_measured(title, command, environment)
            print(f"{title}: {cost.seconds:.1f} s, {cost.peak_memory_mb:,.0f} MB")
        with open_warehouse(database, read_only=True) as warehouse:
            return _hand_over(warehouse, job, work)


def _hand_over(warehouse: Warehouse, job: Job, work: Path) -> Path:
    """Copy tables, report, model and card, then write the manifest."""
    [(run_id, cutoff, model_file)] = warehouse.rows(
        "select run_id, cutoff_date, model_file from ml.model_runs where is_default "
        "order by finished_at desc limit 1"
    )
    for name, query in TABLES.items():
        relation = warehouse.connection.sql(query, params=[run_id])
        relation.write_parquet(str(work / f"{name}.parquet"), compression="zstd")
    tables = [work / f"{name}.parquet" for name in TABLES]
    report = [path for path in sorted((work / "report").rglob("*")) if path.is_file()]
    model = settings.PROJECT_DIR / model_file
    copied = {
        "output": {
            str(path.relative_to(work)): _copy(path, job.output, work)
            for path in (*tables, *report)
        },
        "model": {
            path.name: _copy(path, job.model, model.parent)
            for path in (model, model.parent / "model_card.md")
        },
    }
    manifest = {
        "run_id": run_id,
        "cutoff_date": str(cutoff),
        "code_version": code_version(),
        "data_fingerprint": warehouse.data_fingerprint(),
        "sha256": copied,
    }
    path = job.output / MANIFEST
    write_whole(path, json.dumps(manifest, indent=2) + "\n")
    n_files = sum(map(len, copied.values()))
    print(f"handed over run {run_id}: {n_files} files, {path}")
    return path


def _copy(source: Path, directory: Path, beside: Path) -> str:
    """Copy a file, under another name until it is whole; return its checksum."""
    target = directory / source.relative_to(beside)
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".new-{target.name}")
    shutil.copyfile(source, unfinished)
    os.replace(unfinished, target)
    with target.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    sys.exit(main())
