"""Model files on record: which were published, and that they are what they were."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ml import settings
from ml.publish import insert_rows
from ml.recipes import SEED, Recipe
from ml.registry import ModelFileError, SavedModel, load_saved
from ml.warehouse import Column, Warehouse, WarehouseError


@dataclass(frozen=True)
class ModelFile:
    """A row of ``ml.model_files`` without the time of its publication.

    Attributes
    ----------
    path
        Relative to the project.
    first_week, last_week
        Of the cutoffs that the model was fitted on.
    """

    path: str
    sha256: str
    run_id: str
    recipe: Recipe
    parameters: dict
    first_week: dt.date
    last_week: dt.date
    n_pairs: int
    fit_seconds: float
    data_fingerprint: str
    code_version: str

    def load(self, columns: Sequence[Column]) -> SavedModel:
        """Read the model, to score a mart with these columns.

        Raises
        ------
        ModelFileError
            The file is missing, is not the one that was published, or was fitted on
            other features than the mart has.
        """
        path = settings.PROJECT_DIR / self.path
        if not path.is_file():
            raise ModelFileError(
                f"{self.path} of run {self.run_id} is not there any more: bring it "
                "back from a backup, or train again with `python -m ml.train`."
            )
        if sha256_of(path) != self.sha256:
            raise ModelFileError(
                f"{self.path} is not the file that run {self.run_id} published (its "
                "checksum differs from ml.model_files): bring it back from a backup, "
                "or train again with `python -m ml.train`."
            )
        return load_saved(path, columns)


def sha256_of(path: Path) -> str:
    """Return the checksum of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def record_file(warehouse: Warehouse, file: ModelFile, at: dt.datetime) -> None:
    """Write down a model file whose scores are published."""
    insert_rows(
        warehouse,
        "model_files",
        [
            {
                "model_file": file.path,
                "sha256": file.sha256,
                "run_id": file.run_id,
                "model_name": file.recipe.model_name,
                "recipe_id": file.recipe.recipe_id,
                "parameters": json.dumps(file.parameters),
                "first_training_cutoff": file.first_week,
                "last_training_cutoff": file.last_week,
                "n_training_pairs": file.n_pairs,
                "fit_seconds": file.fit_seconds,
                "data_fingerprint": file.data_fingerprint,
                "code_version": file.code_version,
                "written_at": at,
            }
        ],
    )


def file_of_run(warehouse: Warehouse, run_id: str) -> ModelFile:
    """Return the model file whose scores a run published.

    Raises
    ------
    WarehouseError
        The run is not known, or its file is not on record.
    """
    found = _files(warehouse, "runs.run_id = ?", [run_id])
    if not found:
        raise WarehouseError(
            f"no model file of run {run_id} is on record: ml.model_files lists those "
            "that are."
        )
    return found[0]


def file_to_score(warehouse: Warehouse, recipe: Recipe, cutoff: dt.date) -> ModelFile:
    """Return the file of a recipe that was published last and may score a cutoff.

    A model that was fitted on the cutoff's own week or a later one knows what happened
    in it, and is left out.

    Raises
    ------
    WarehouseError
        There is none.
    """
    found = _files(
        warehouse,
        "files.recipe_id = ? and files.last_training_cutoff < ?",
        [recipe.recipe_id, cutoff],
    )
    if not found:
        raise WarehouseError(
            f"no fitted model of {recipe.recipe_id} for the week from {cutoff} is on "
            f"record: run `python -m ml.train --cutoff {cutoff}`."
        )
    return found[0]


def _files(warehouse: Warehouse, condition: str, values: list) -> list[ModelFile]:
    """Return the published files that a condition is true of, the latest first."""
    rows = warehouse.rows(
        "select files.model_file, files.sha256, files.run_id, files.model_name, "
        "files.parameters, files.first_training_cutoff, files.last_training_cutoff, "
        "files.n_training_pairs, files.fit_seconds, files.data_fingerprint, "
        "files.code_version from ml.model_files as files "
        "inner join ml.model_runs as runs on runs.model_file = files.model_file "
        f"where runs.is_default and {condition} "
        "order by runs.finished_at desc, runs.run_id desc",
        values,
    )
    found = []
    for path, sha256, run_id, name, text, *rest in rows:
        parameters = json.loads(text)
        recipe = Recipe(name, {k: v for k, v in parameters.items() if k != SEED})
        found.append(ModelFile(path, sha256, run_id, recipe, parameters, *rest))
    return found
