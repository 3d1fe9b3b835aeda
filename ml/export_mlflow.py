"""Copy runs to MLflow: parameters, metrics, tags, model file and card.

The warehouse stays the registry; MLflow gets a copy to browse. Each model of each run
of ml.model_runs becomes one MLflow run; those that are there already are left alone, so
the command may be repeated after every training. Needs the optional extra mlflow (`make
mlflow`).
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib.util
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ml import cli, settings
from ml.card import card_path
from ml.warehouse import Warehouse, open_warehouse

EXAMPLE = (
    "example: python -m ml.export_mlflow --tracking-uri sqlite:///artifacts/mlflow.db"
)
EXPERIMENT = "ponpare"
#: What tells the copies apart.
RUN_TAG, MODEL_TAG = "ponpare.run_id", "ponpare.model_name"
#: MLflow takes at most so many metrics at once.
METRICS_AT_ONCE = 1000
#: Columns of ml.model_runs that are measures, not tags.
MEASURES = (
    *("fit_seconds", "predict_seconds", "pairs_per_second", "latency_p50_ms"),
    *("latency_p95_ms", "peak_memory_mb", "n_training_pairs", "n_evaluated_pairs"),
)
TAGS = (
    *("cutoff_date", "evaluated_cutoff_date", "data_fingerprint", "code_version"),
    *("first_training_cutoff", "last_training_cutoff", "is_default", "model_file"),
)


@dataclass(frozen=True)
class Copy:
    """What MLflow is told of one model of a run.

    Attributes
    ----------
    metrics
        By name: ``map_at_10`` over all, ``map_at_10/buyers`` of a slice.
    """

    run_id: str
    model_name: str
    started_at: dt.datetime
    finished_at: dt.datetime
    parameters: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, float]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("export_mlflow", __doc__, EXAMPLE)
    parser.add_argument(
        "--tracking-uri",
        required=True,
        help="an MLflow server (http://...) or a database (sqlite:///...)",
    )
    parser.add_argument(
        "--run", metavar="RUN_ID", help="only this run (default: all that are missing)"
    )
    options = parser.parse_args(arguments)
    return cli.run(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    if importlib.util.find_spec("mlflow") is None:
        raise cli.CommandError(
            "ml.export_mlflow needs MLflow, an optional extra that is not installed: "
            "run `make mlflow`."
        )
    # it would report its use to its makers
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    with open_warehouse(read_only=True) as warehouse:
        copies = copies_of(warehouse, options.run)
    if options.run and not copies:
        raise cli.CommandError(
            f"ml.model_runs holds no run {options.run}: list them with `python -m "
            'ml.query "select distinct run_id from ml.model_runs"`.'
        )
    from mlflow.exceptions import MlflowException

    try:
        n_new = export(copies, options.tracking_uri)
    except MlflowException as error:
        raise cli.CommandError(
            f"MLflow at {options.tracking_uri} takes no copies: {error.message}"
        ) from error
    print(
        f"{n_new} models of runs copied to {options.tracking_uri}, experiment "
        f"{EXPERIMENT}; {len(copies) - n_new} were there"
    )


def copies_of(warehouse: Warehouse, run_id: str | None = None) -> list[Copy]:
    """Read what there is to copy, the earliest run first."""
    columns = (
        *("run_id", "model_name", "started_at", "finished_at", "parameters"),
        *TAGS,
        *MEASURES,
    )
    runs = warehouse.rows(
        f"select {', '.join(columns)} from ml.model_runs "
        "where coalesce(run_id = cast(? as varchar), true) "
        "order by started_at, run_id, model_name",
        [run_id],
    )
    metrics: dict[tuple[str, str], dict[str, float]] = {}
    for run, model, name, part, value in warehouse.rows(
        "select run_id, model_name, metric, slice, value from ml.model_metrics "
        "where coalesce(run_id = cast(? as varchar), true) and value is not null",
        [run_id],
    ):
        key = name if part == "all" else f"{name}/{part}"
        metrics.setdefault((run, model), {})[key] = value
    return [
        _copy(dict(zip(columns, row, strict=True)), metrics.get(row[:2], {}))
        for row in runs
    ]


def _copy(row: dict, metrics: dict[str, float]) -> Copy:
    measured = {name: float(row[name]) for name in MEASURES if row[name] is not None}
    return Copy(
        run_id=row["run_id"],
        model_name=row["model_name"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        parameters={
            name: json.dumps(value)
            for name, value in json.loads(row["parameters"]).items()
        },
        tags={name: str(row[name]) for name in TAGS if row[name] is not None},
        metrics=metrics | measured,
    )


def export(copies: Sequence[Copy], tracking_uri: str) -> int:
    """Tell MLflow of the copies that it does not have; return how many.

    A copy that breaks off is marked as failed and made anew the next time.
    """
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri)
    found = client.get_experiment_by_name(EXPERIMENT)
    experiment = (
        client.create_experiment(EXPERIMENT, _artifacts(tracking_uri))
        if found is None
        else found.experiment_id
    )
    there = {
        (run.data.tags.get(RUN_TAG), run.data.tags.get(MODEL_TAG))
        for run in _all_runs(client, experiment)
        if run.info.status == "FINISHED"
    }
    new = [copy for copy in copies if (copy.run_id, copy.model_name) not in there]
    for copy in new:
        started, finished = (
            int(moment.replace(tzinfo=dt.UTC).timestamp() * 1000)
            for moment in (copy.started_at, copy.finished_at)
        )
        name = f"{copy.model_name} {copy.run_id}"
        run = client.create_run(experiment, start_time=started, run_name=name)
        identity = run.info.run_id
        try:
            client.log_batch(
                identity,
                params=[Param(*pair) for pair in copy.parameters.items()],
                tags=[
                    RunTag(RUN_TAG, copy.run_id),
                    RunTag(MODEL_TAG, copy.model_name),
                    *(RunTag(f"ponpare.{key}", copy.tags[key]) for key in copy.tags),
                ],
            )
            metrics = [
                Metric(key, value, finished, 0) for key, value in copy.metrics.items()
            ]
            for first in range(0, len(metrics), METRICS_AT_ONCE):
                client.log_batch(
                    identity, metrics=metrics[first : first + METRICS_AT_ONCE]
                )
            for path in _files(copy):
                client.log_artifact(identity, str(path))
        except BaseException:
            client.set_terminated(identity, "FAILED")
            raise
        client.set_terminated(identity, end_time=finished)
    return len(new)


def _artifacts(tracking_uri: str) -> str | None:
    """Return where files go: beside a SQLite file, elsewhere as MLflow does it."""
    scheme = "sqlite:///"
    if not tracking_uri.startswith(scheme):
        return None
    path = Path(tracking_uri.removeprefix(scheme)).resolve()
    return path.with_suffix(".artifacts").as_uri()


def _all_runs(client, experiment: str) -> list:
    found = []
    token = None
    while True:
        page = client.search_runs([experiment], page_token=token)
        found.extend(page)
        token = page.token
        if not token:
            return found


def _files(copy: Copy) -> list[Path]:
    """Return the published model's file and the card of its run, if still there."""
    if copy.tags.get("is_default") != "True":
        return []
    paths = [card_path(copy.run_id)]
    if "model_file" in copy.tags:
        paths.append(settings.PROJECT_DIR / copy.tags["model_file"])
    return [path for path in paths if path.is_file()]


if __name__ == "__main__":
    sys.exit(main())
